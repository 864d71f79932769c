/* Windows of an int8 image as the two columns of int16 that wvv_gemm.h multiplies. */
#ifndef WVV_COLUMNS_H_
#define WVV_COLUMNS_H_

#include <stdint.h>

#include "wvv_gemm.h"
#include "wvv_simd.h"

static inline uint32_t *wvv_put_pair(uint32_t *to, uint32_t first, uint32_t second) {
  to[0] = wvv_sxtb16(first);
  to[1] = wvv_sxtb16_ror8(first);
  to[2] = wvv_sxtb16(second);
  to[3] = wvv_sxtb16_ror8(second);
  return to + WVV_GROUP_WORDS;
}

#if WVV_DSP
/* GCC stores the four words of a group one by one. */
#define WVV_WORD_PAIR                \
  "ldr r8, [%[first]], #4\n\t"       \
  "ldr r9, [%[second]], #4\n\t"      \
  "sxtb16 r4, r8\n\t"                \
  "sxtb16 r5, r8, ror #8\n\t"        \
  "sxtb16 r6, r9\n\t"                \
  "sxtb16 r7, r9, ror #8\n\t"        \
  "stmia %[to]!, {r4-r7}\n\t"

static inline uint32_t *wvv_expand_run(uint32_t *to, const int8_t *first, const int8_t *second, int32_t words) {
  for (; words >= 4; words -= 4) {
    __asm__ volatile(WVV_WORD_PAIR WVV_WORD_PAIR WVV_WORD_PAIR WVV_WORD_PAIR
                     : [to] "+r"(to), [first] "+r"(first), [second] "+r"(second)
                     :
                     : "r4", "r5", "r6", "r7", "r8", "r9", "memory");
  }
  if ((words & 2) != 0) {
    __asm__ volatile(WVV_WORD_PAIR WVV_WORD_PAIR
                     : [to] "+r"(to), [first] "+r"(first), [second] "+r"(second)
                     :
                     : "r4", "r5", "r6", "r7", "r8", "r9", "memory");
  }
  if ((words & 1) != 0) {
    __asm__ volatile(WVV_WORD_PAIR
                     : [to] "+r"(to), [first] "+r"(first), [second] "+r"(second)
                     :
                     : "r4", "r5", "r6", "r7", "r8", "r9", "memory");
  }
  return to;
}
#else
static inline uint32_t *wvv_expand_run(uint32_t *to, const int8_t *first, const int8_t *second, int32_t words) {
  for (int32_t n = 0; n < words; ++n) {
    to = wvv_put_pair(to, wvv_load4(first + 4 * n), wvv_load4(second + 4 * n));
  }
  return to;
}
#endif

#endif
