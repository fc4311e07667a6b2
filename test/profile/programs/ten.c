// Ten calls of malloc, each on a line of its own; test/profile/linemap.test.ts finds the lines by the numbers.
#define IMPORT(name) __attribute__((import_module("gomalloc"), import_name(#name)))
IMPORT(malloc) void* malloc(unsigned long);
IMPORT(free) void free(void*);
__attribute__((import_module("env"), import_name("sample"))) void sample(int);

static void* volatile kept[10];

__attribute__((noinline)) static void keep(int site, unsigned long size) {
  kept[site] = malloc(size);
  sample(site);
}

__attribute__((noinline)) static void nodes(int n) {
  keep(0, 100);
  if (n > 0) keep(1, 101);
  for (int i = 0; i < 1; i++) {
    keep(2, 102);
  }
}

static inline void texts(int n) {
  keep(3, 103 + n);
  keep(4, 104);
}

struct Table {
  int columns;
};

__attribute__((noinline)) static int table(struct Table* t) {
  keep(5, 105);
  int rows = t->columns
                 ? (keep(6, 106), 3)
                 : 4;
  keep(7, 107);
  return rows;
}

__attribute__((export_name("run"))) int run(int n) {
  struct Table t = {n};
  nodes(n);
  texts(n);
  keep(8, 108);
  int rows = table(&t);
  keep(9, 109);
  for (int i = 0; i < 10; i++) free(kept[i]);
  return rows;
}
