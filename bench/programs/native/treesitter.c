/*
 * Parses JavaScript with tree-sitter, then edits it here and there and parses it again incrementally, as an editor
 * does. Prints the size and a hash of each tree.
 *
 *   treesitter <file> <edits>
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "tree_sitter/api.h"

const TSLanguage *tree_sitter_javascript(void);

/* Counts the nodes; hashes their types and places. */
static void report(const char *what, const TSTree *tree) {
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
  uint32_t nodes = 0, errors = 0;
  uint64_t hash = 1469598103934665603u;
  for (;;) {
    TSNode node = ts_tree_cursor_current_node(&cursor);
    nodes++;
    errors += ts_node_is_error(node);
    hash = (hash ^ ts_node_symbol(node)) * 1099511628211u;
    hash = (hash ^ ts_node_start_byte(node)) * 1099511628211u;
    hash = (hash ^ ts_node_end_byte(node)) * 1099511628211u;
    if (ts_tree_cursor_goto_first_child(&cursor)) continue;
    while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
      if (!ts_tree_cursor_goto_parent(&cursor)) {
        printf("%s: %u nodes, %u errors, %016llx\n", what, nodes, errors, (unsigned long long)hash);
        ts_tree_cursor_delete(&cursor);
        return;
      }
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int edits = atoi(argv[2]);
  size_t bytes;
  char *text = read_file(argv[1], (size_t)edits, &bytes);
  if (!text) return 1;
  uint32_t length = (uint32_t)bytes;

  TSParser *parser = ts_parser_new();
  if (!ts_parser_set_language(parser, tree_sitter_javascript())) return 3;
  TSTree *tree = ts_parser_parse_string(parser, NULL, text, length);
  report("parsed", tree);
  uint32_t seed = 1;
  for (int i = 0; i < edits; i++) {
    seed = seed * 1664525u + 1013904223u;
    uint32_t at = (uint32_t)(((uint64_t)seed * length) >> 32);
    /* A semicolon after a line: legal nearly everywhere. */
    while (at < length && text[at] != '\n') at++;
    memmove(text + at + 1, text + at, length - at);
    text[at] = ';';
    length++;
    uint32_t row = 0, start = 0;
    for (uint32_t j = 0; j < at; j++) {
      if (text[j] == '\n') row++, start = j + 1;
    }
    TSPoint point = {row, at - start}, after = {row, at - start + 1};
    TSInputEdit edit = {at, at, at + 1, point, point, after};
    ts_tree_edit(tree, &edit);
    TSTree *next = ts_parser_parse_string(parser, tree, text, length);
    ts_tree_delete(tree);
    tree = next;
  }
  report("edited", tree);
  ts_tree_delete(tree);
  ts_parser_delete(parser);
  free(text);
  return 0;
}
