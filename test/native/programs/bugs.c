/* Ten programs with one bug each; the argument chooses. Each bug's line has BUG, the block's line BLOCK, the free's FREE. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

static volatile int sink;
/* Given away, so that no compiler drops the block or the write. */
NOINLINE static void use(void *p) { sink += (int)(uintptr_t)p; }

/* After a bug: enough traffic that blocks leave the quarantine. */
NOINLINE static void traffic(void) {
  for (int i = 0; i < 200; i++) {
    void *p = malloc(20000);
    use(p);
    free(p);
  }
}

NOINLINE static char *block(size_t size) {
  char *p = malloc(size); /* BLOCK */
  use(p);
  return p;
}
NOINLINE static void drop(void *p) {
  use(p);
  free(p); /* FREE */
}

int main(int argc, char **argv) {
  volatile char *p;
  switch (argc > 1 ? atoi(argv[1]) : 0) {
    case 0: /* overflow by one byte */
      p = block(13);
      p[13] = 1;
      drop((void *)p);
      break;
    case 1: /* overflow of a string's end */
      p = block(16);
      strcpy((char *)p, "sixteen letters!");
      drop((void *)p);
      break;
    case 2: /* overflow of an array of words */
      p = block(400);
      for (int i = 0; i <= 100; i++) ((volatile int *)p)[i] = i + 1;
      drop((void *)p);
      break;
    case 3: /* underflow by one byte */
      p = block(50);
      p[-1] = 1;
      drop((void *)p);
      break;
    case 4: /* underflow of a word, in a large block */
      p = block(50000);
      ((volatile int *)p)[-1] = 1;
      drop((void *)p);
      break;
    case 5: /* write after free, at the start */
      p = block(60);
      drop((void *)p);
      p[0] = 1;
      break;
    case 6: /* write after free, at the end of a larger block */
      p = block(3000);
      drop((void *)p);
      p[2999] = 1;
      break;
    case 7: /* double free */
      p = block(70);
      drop((void *)p);
      drop((void *)p);
      break;
    case 8: /* double free of a large block */
      p = block(40000);
      drop((void *)p);
      drop((void *)p);
      break;
    case 9: /* a leak */
      for (int i = 0; i < 50; i++) block(80);
      for (int i = 0; i < 50; i++) drop(block(81));
      break;
    default:
      return 1;
  }
  traffic();
  return 0;
}
