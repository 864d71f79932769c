/* V in int16 to V in 8 bits, tap by tap.
 *
 * floor((V m + 2^30) / 2^31) is one rounding (numerics.md, N18 g). Since 2^30 is a multiple of 2^16, it may be taken in
 * two steps, floor(V m / 2^16) + 2^14 and a shift by 15, each of which is one instruction. */
#include "wvv_simd.h"
#include "wvv_winograd.h"

#if WVV_DSP

/* Words of a tap come in fours. A shift stands in the instruction: 15 places for multipliers below one, 14 below two.
 * r7 is left alone: it may be a frame pointer. */
#define WVV_ROUND_PAIR(pair, places)                                                               \
            "smlawb r9, %1, " pair ", %2\n\t"                                                      \
            "smlawt r10, %1, " pair ", %2\n\t"                                                     \
            "ssat r9, #8, r9, asr #" places "\n\t"                                                 \
            "ssat r10, #8, r10, asr #" places "\n\t"                                               \
            "pkhbt " pair ", r9, r10, lsl #16\n\t"
#define WVV_DEFINE_ROUND(places)                                                                   \
  static void round_##places(uint32_t* v, const int32_t* stage, int32_t taps, int32_t words) {     \
    for (; taps; --taps, stage += 2) {                                                             \
      const int32_t mantissa = stage[0], addend = stage[1];                                        \
      for (const uint32_t* end = v + words; v != end;) {                                           \
        __asm__ volatile(                                                                          \
            "ldmia %0, {r4-r6, r8}\n\t"                                                            \
            WVV_ROUND_PAIR("r4", #places)                                                          \
            WVV_ROUND_PAIR("r5", #places)                                                          \
            WVV_ROUND_PAIR("r6", #places)                                                          \
            WVV_ROUND_PAIR("r8", #places)                                                          \
            "stmia %0!, {r4-r6, r8}"                                                               \
            : "+r"(v)                                                                              \
            : "r"(mantissa), "r"(addend)                                                           \
            : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");                                \
      }                                                                                            \
    }                                                                                              \
  }
WVV_DEFINE_ROUND(15)
WVV_DEFINE_ROUND(14)

#endif

static void round_any(uint32_t* v, const int32_t* stage, int32_t taps, int32_t words, int32_t places, int32_t raise) {
  for (; taps; --taps, stage += 2) {
    for (const uint32_t* end = v + words; v != end; ++v) {
      const int32_t low = wvv_ssat8(wvv_smlawb(stage[0], *v, stage[1]) >> places);
      const int32_t high = wvv_ssat8(wvv_smlawt(stage[0], *v, stage[1]) >> places);
      *v = wvv_lows((uint32_t)low << raise, (uint32_t)high << raise);
    }
  }
}

void wvv_round8(uint32_t* v, const int32_t* stage, int32_t taps, int32_t words, int32_t places, int32_t raise) {
#if WVV_DSP
  if (places == 15 && raise == 0) {
    round_15(v, stage, taps, words);
    return;
  }
  if (places == 14 && raise == 0) {
    round_14(v, stage, taps, words);
    return;
  }
#endif
  round_any(v, stage, taps, words, places, raise);
}
