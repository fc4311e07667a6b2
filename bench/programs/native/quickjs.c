/*
 * Runs a script in QuickJS, with print().
 *
 *   quickjs <file> <argument>      the argument is the global variable `size`, a number
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "quickjs.h"

static JSValue print(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self;
  for (int i = 0; i < argc; i++) {
    size_t length;
    const char *text = JS_ToCStringLen(context, &length, argv[i]);
    if (!text) return JS_EXCEPTION;
    if (i) putchar(' ');
    fwrite(text, 1, length, stdout);
    JS_FreeCString(context, text);
  }
  putchar('\n');
  return JS_UNDEFINED;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  size_t length;
  char *text = read_text(argv[1], &length);
  if (!text) return 1;
  JSRuntime *runtime = JS_NewRuntime();
  JS_SetMaxStackSize(runtime, 256 * 1024);
  JSContext *context = JS_NewContext(runtime);
  JSValue global = JS_GetGlobalObject(context);
  JS_SetPropertyStr(context, global, "print", JS_NewCFunction(context, print, "print", 1));
  JS_SetPropertyStr(context, global, "size", JS_NewInt32(context, atoi(argv[2])));
  JS_FreeValue(context, global);
  JSValue result = JS_Eval(context, text, length, argv[1], JS_EVAL_TYPE_GLOBAL);
  int failed = JS_IsException(result);
  if (failed) {
    JSValue error = JS_GetException(context);
    const char *message = JS_ToCString(context, error);
    printf("%s\n", message ? message : "exception");
    if (message) JS_FreeCString(context, message);
    JS_FreeValue(context, error);
  }
  JS_FreeValue(context, result);
  JSContext *job;
  while (!failed && JS_ExecutePendingJob(runtime, &job) > 0) {
  }
  JS_FreeContext(context);
  JS_FreeRuntime(runtime);
  free(text);
  return failed;
}
