/* Files, console and exit of whatever runs the firmware: semihosting on a board, stdio on the host.
 * Each call is complete or ends the program: no caller needs to check for half a write. */
#ifndef WVV_IO_H
#define WVV_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "wvv_status.h"

/* Names are relative to the folder in which the runner started the program.  Exits if the file cannot be opened. */
int32_t wvv_open(const char *name, bool write);

/* Bytes read; fewer than asked only at the end of the file. */
uint32_t wvv_read(int32_t file, void *bytes, uint32_t count);

void wvv_write(int32_t file, const void *bytes, uint32_t count);

/* A text on the console, as it stands; no line end is added. */
void wvv_say(const char *text);

_Noreturn void wvv_exit(enum wvv_status status);

#endif
