/* Ten sites that allocate, each a function of its own: its line has its number. Called with a mode:
 *   0  every block is kept
 *   1  those of odd sites are freed
 */
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

static void *kept[10][100];

NOINLINE static void *site0(void) { return malloc(24); } /* site 0 */
NOINLINE static void *site1(void) { return malloc(100); } /* site 1 */
NOINLINE static void *site2(void) { return calloc(10, 30); } /* site 2 */
NOINLINE static void *site3(void) {
  void *p = malloc(10);
  return realloc(p, 700); /* site 3 */
}
NOINLINE static void *site4(void) { return aligned_alloc(64, 640); } /* site 4 */
NOINLINE static void *site5(void) { return malloc(5000); } /* site 5 */
NOINLINE static void *site6(void) { return malloc(40000); } /* site 6 */
NOINLINE static void *site7(void) {
  void *p = 0;
  posix_memalign(&p, 128, 1000); /* site 7 */
  return p;
}
NOINLINE static void *site8(void) { return strdup("a string of forty characters, or about so"); } /* site 8 */
static inline __attribute__((always_inline)) void *inlined(void) {
  return malloc(2000); /* site 9 */
}
NOINLINE static void *site9(void) { return inlined(); }

static void *(*const sites[])(void) = {site0, site1, site2, site3, site4, site5, site6, site7, site8, site9};

int main(int argc, char **argv) {
  int frees = argc > 1 && argv[1][0] == '1';
  for (int round = 0; round < 100; round++) {
    for (int i = 0; i < 10; i++) {
      void *p = sites[i]();
      if (p == 0) return 1;
      memset(p, 1, 8);
      kept[i][round] = p;
      if (frees && i % 2 == 1) {
        free(p);
        kept[i][round] = 0;
      }
    }
  }
  return 0;
}
