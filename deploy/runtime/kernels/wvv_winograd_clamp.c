/* A clamp narrower than int8, upon what has been stored. */
#include "wvv_simd.h"
#include "wvv_winograd.h"

static inline int8_t one(int8_t value, int32_t low, int32_t high) {
  return (int8_t)(value < low ? low : value > high ? high : value);
}

#if WVV_DSP

/* Four bytes at once: each subtraction leaves in the GE flags which of them are not below the other. */
static inline uint32_t four(uint32_t values, uint32_t lows, uint32_t highs) {
  uint32_t scratch;
  __asm__(
      "ssub8 %1, %0, %2\n\t"
      "sel %0, %0, %2\n\t"
      "ssub8 %1, %3, %0\n\t"
      "sel %0, %0, %3"
      : "+r"(values), "=&r"(scratch)
      : "r"(lows), "r"(highs)
      : "cc");
  return values;
}

#else

static inline uint32_t four(uint32_t values, uint32_t lows, uint32_t highs) {
  uint32_t clamped = 0;
  for (int place = 0; place < 32; place += 8) {
    const int8_t value = one((int8_t)(uint8_t)(values >> place), (int8_t)(uint8_t)lows, (int8_t)(uint8_t)highs);
    clamped |= (uint32_t)(uint8_t)value << place;
  }
  return clamped;
}

#endif

void wvv_clamp(int8_t* out, int32_t count, int32_t low, int32_t high) {
  const uint32_t lows = (uint8_t)low * 0x01010101u, highs = (uint8_t)high * 0x01010101u;
  for (; count >= 4; count -= 4, out += 4) {
    wvv_store4(out, four(wvv_load4(out), lows, highs));
  }
  for (; count; --count, ++out) {
    *out = one(*out, low, high);
  }
}
