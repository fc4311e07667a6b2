// Calls whose lines test/profile/symbols.test.ts knows. sample(n) takes the stack.
__attribute__((import_module("env"), import_name("sample"))) void sample(int);

static inline __attribute__((always_inline)) int inlined(int n) {
  sample(n);
  return n;
}

static inline __attribute__((always_inline)) int twice_inlined(int n) {
  return inlined(n + 1) + 1;
}

__attribute__((noinline)) static int middle(int n) {
  int sum = twice_inlined(n);
  sample(sum);
  return sum;
}

__attribute__((export_name("run"))) int run(int n) {
  int first = middle(n);
  return first + middle(n + 10);
}
