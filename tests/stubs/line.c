/* See line.h. */
#include "line.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int stub_get(void) {
  struct pollfd in = {.fd = 0, .events = POLLIN, .revents = 0};
  unsigned char byte;
  if (poll(&in, 1, 1) <= 0) {
    return -1;
  }
  if (read(0, &byte, 1) != 1) {
    exit(0);
  }
  return byte;
}

void stub_put(unsigned char byte) {
  if (write(1, &byte, 1) != 1) {
    exit(1);
  }
}

unsigned stub_microseconds(void) {
  struct timespec now;
  (void)timespec_get(&now, TIME_UTC);
  return (unsigned)((unsigned long long)now.tv_sec * 1000000u + (unsigned long long)now.tv_nsec / 1000u);
}

void stub_reset(void) { exit(STUB_RESET); }
