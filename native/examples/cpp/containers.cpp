/*
 * The standard containers over gomalloc: strings, vectors, both maps, shared pointers, an over-aligned type. Prints what
 * they hold, never an address, so that the output is the same with any allocator.
 */
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

/* Counts of the letters that a word is made of, summed over all words of a length: many small nodes. */
struct Shelf {
  std::map<std::string, unsigned> ordered;
  std::unordered_map<std::string, std::vector<unsigned>> places;
};

struct Node {
  explicit Node(unsigned value) : value(value) {}
  unsigned value;
  std::shared_ptr<Node> left, right;
};

std::shared_ptr<Node> insert(std::shared_ptr<Node> tree, unsigned value) {
  if (!tree) return std::make_shared<Node>(value);
  auto &side = value < tree->value ? tree->left : tree->right;
  side = insert(side, value);
  return tree;
}

unsigned depth(const Node *node) {
  if (node == nullptr) return 0;
  unsigned left = depth(node->left.get()), right = depth(node->right.get());
  return 1 + (left > right ? left : right);
}

struct alignas(256) Block {
  unsigned char bytes[256];
};

bool is_aligned(const void *ptr, std::size_t align) { return reinterpret_cast<std::uintptr_t>(ptr) % align == 0; }

} // namespace

int main() {
  std::uint32_t state = 1;
  auto next = [&state] { return state = state * 1664525u + 1013904223u; };

  Shelf shelf;
  for (unsigned i = 0; i < 20000; i++) {
    std::string word;
    for (unsigned length = 1 + next() % 24; length > 0; length--) word += static_cast<char>('a' + (next() >> 16) % 3);
    shelf.ordered[word]++;
    shelf.places[word].push_back(i);
  }
  std::size_t most = 0;
  for (const auto &[word, count] : shelf.ordered) {
    if (shelf.places.at(word).size() != count) return 1;
    most = count > most ? count : most;
  }
  std::printf("%zu words, the most frequent %zu times\n", shelf.ordered.size(), most);

  std::shared_ptr<Node> tree;
  for (unsigned i = 0; i < 5000; i++) tree = insert(std::move(tree), next() >> 8);
  std::printf("a tree of depth %u\n", depth(tree.get()));

  std::vector<std::unique_ptr<Block>> blocks;
  bool aligned = true;
  for (unsigned i = 0; i < 100; i++) {
    blocks.push_back(std::make_unique<Block>());
    aligned = aligned && is_aligned(blocks.back().get(), alignof(Block));
  }
  std::printf("blocks of 256 aligned: %s\n", aligned ? "yes" : "no");

  auto *page = static_cast<unsigned char *>(::operator new(100, std::align_val_t(4096)));
  std::printf("page aligned: %s\n", is_aligned(page, 4096) ? "yes" : "no");
  ::operator delete(page, 100, std::align_val_t(4096));

  std::printf("no memory: %s\n", new (std::nothrow) char[0xfff00000u] == nullptr ? "null" : "a block");
  return 0;
}
