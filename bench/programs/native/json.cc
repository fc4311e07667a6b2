// Reads a JSON document with nlohmann::json, walks and edits it, writes it again; `rounds` times.
//
//   json <file> <rounds>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

using nlohmann::json;

/// Turns every string of the document into a longer one and drops every third member of its objects.
static void edit(json &value, unsigned &count) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) {
      if (++count % 3 == 0 && !it->is_structured()) {
        it = value.erase(it);
      } else {
        edit(*it, count);
        ++it;
      }
    }
  } else if (value.is_array()) {
    for (auto &element : value) edit(element, count);
  } else if (value.is_string()) {
    value = value.get<std::string>() + "/" + std::to_string(count);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  std::FILE *file = std::fopen(argv[1], "rb");
  if (!file) return 1;
  std::string text;
  char part[65536];
  for (size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
  std::fclose(file);
  std::string written;
  for (int round = 0, rounds = std::atoi(argv[2]); round < rounds; round++) {
    json document = json::parse(text, nullptr, false);
    if (document.is_discarded()) return 3;
    unsigned count = (unsigned)round;
    edit(document, count);
    json copy = document;
    written = copy.dump(1);
  }
  std::fwrite(written.data(), 1, written.size(), stdout);
  return 0;
}
