/* Four int8 numbers in one word: the greater and the lesser of each, one pair of instructions of the DSP extension, and
 * the same in portable C elsewhere. */
#ifndef WVV_BYTES_H_
#define WVV_BYTES_H_

#include "wvv_simd.h"

#if WVV_DSP
static inline uint32_t wvv_greater4(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b));
  return result;
}

static inline uint32_t wvv_lesser4(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(a), "r"(b));
  return result;
}
#else
/* Flipped signs make the order that of unsigned numbers, whatever lies below each in the word. */
static inline uint32_t wvv_chosen4(uint32_t a, uint32_t b, int greater) {
  const uint32_t flip = 0x80808080u;
  uint32_t result = 0;
  for (uint32_t mask = 255u; mask != 0; mask <<= 8) {
    const int a_is_greater = ((a ^ flip) & mask) > ((b ^ flip) & mask);
    result |= (a_is_greater == greater ? a : b) & mask;
  }
  return result;
}

static inline uint32_t wvv_greater4(uint32_t a, uint32_t b) { return wvv_chosen4(a, b, 1); }
static inline uint32_t wvv_lesser4(uint32_t a, uint32_t b) { return wvv_chosen4(a, b, 0); }
#endif

#endif
