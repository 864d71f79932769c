/* The host's side of wvv_io.h and wvv_measure.h, over stdio: main.c and a model run under sanitizers with it. */
#include <stdio.h>
#include <stdlib.h>

#include "wvv_io.h"
#include "wvv_measure.h"

#define FILES 2
static FILE *files[FILES];
static int32_t file_count;

int32_t wvv_open(const char *name, bool write) {
  FILE *file = file_count < FILES ? fopen(name, write ? "wb" : "rb") : NULL;
  if (file == NULL) {
    wvv_exit(WVV_FILE_NOT_OPENED);
  }
  files[file_count] = file;
  return file_count++;
}

uint32_t wvv_read(int32_t file, void *bytes, uint32_t count) { return (uint32_t)fread(bytes, 1, count, files[file]); }

void wvv_write(int32_t file, const void *bytes, uint32_t count) {
  /* Flushed at once: the size of the output file is the progress that the runner watches. */
  if (fwrite(bytes, 1, count, files[file]) != count || fflush(files[file]) != 0) {
    wvv_exit(WVV_WRITE_FAILED);
  }
}

void wvv_say(const char *text) { fputs(text, stderr); }

_Noreturn void wvv_exit(enum wvv_status status) { exit((int)status); }

/* A host has neither a bounded stack nor a count of instructions: no profile is written. */
void wvv_measure_open(void) {}

int32_t wvv_measure_run(int32_t (*run)(void)) { return run(); }

void wvv_measure_close(void) {}
