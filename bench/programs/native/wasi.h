/*
 * What WASI leaves out and a program's rarely used corners name. Included in front of it; nothing here is called by
 * the workloads.
 */
#include <fenv.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define system(command) (-1)
#define tmpfile() ((FILE *)0)
#define tmpnam(buffer) ((char *)0)
#define L_tmpnam 1

/* Wasm rounds to nearest only; asking for another mode changes nothing. */
#ifndef FE_DOWNWARD
#define FE_DOWNWARD 1
#define FE_UPWARD 2
#endif
