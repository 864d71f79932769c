/* What the sketch uses of Arduino.h (Arduino language reference: Serial, micros) and of CMSIS (NVIC_SystemReset). */
#ifndef STUB_ARDUINO_H
#define STUB_ARDUINO_H

#include <stdint.h>

#include "line.h"

struct StubSerial {
  void begin(unsigned long baud) { this->baud = baud; }
  int read() { return stub_get(); }
  unsigned write(uint8_t byte) {
    stub_put(byte);
    return 1;
  }
  unsigned long baud;
};

inline StubSerial Serial;

static inline unsigned long micros() { return stub_microseconds(); }
static inline void NVIC_SystemReset() { stub_reset(); }

void setup();
void loop();

#endif
