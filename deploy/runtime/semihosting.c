/* Files, console and exit through Arm semihosting (Arm IHI "Semihosting for AArch32 and AArch64", release 2.0).
 * On M-profile a call is `bkpt 0xab` with the operation in r0 and a parameter block in r1. */
#include <string.h>

#include "wvv_io.h"

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { OPEN_READ_BINARY = 1, OPEN_WRITE_BINARY = 5 };
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

static uint32_t call_host(uint32_t operation, const void *block) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static uint32_t address(const void *pointer) { return (uint32_t)(uintptr_t)pointer; }

int32_t wvv_open(const char *name, bool write) {
  const uint32_t block[3] = {address(name), write ? OPEN_WRITE_BINARY : OPEN_READ_BINARY, (uint32_t)strlen(name)};
  const int32_t file = (int32_t)call_host(SYS_OPEN, block);
  if (file < 0) {
    wvv_exit(WVV_FILE_NOT_OPENED);
  }
  return file;
}

uint32_t wvv_read(int32_t file, void *bytes, uint32_t count) {
  uint32_t done = 0;
  while (done < count) {
    const uint32_t block[3] = {(uint32_t)file, address((char *)bytes + done), count - done};
    /* The host answers with the number of bytes that it did not read. */
    const uint32_t missing = call_host(SYS_READ, block);
    if (missing >= count - done) {
      break;
    }
    done = count - missing;
  }
  return done;
}

void wvv_write(int32_t file, const void *bytes, uint32_t count) {
  const uint32_t block[3] = {(uint32_t)file, address(bytes), count};
  if (call_host(SYS_WRITE, block) != 0u) {
    wvv_exit(WVV_WRITE_FAILED);
  }
}

void wvv_say(const char *text) { call_host(SYS_WRITE0, text); }

_Noreturn void wvv_exit(enum wvv_status status) {
  const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)status};
  for (;;) {
    call_host(SYS_EXIT_EXTENDED, block);
  }
}
