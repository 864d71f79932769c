/* Pairs of 16-bit numbers in one word, and the few instructions of the DSP extension that kernels are made of.
 *
 * A pair holds its first number in the lower half. With the extension each function is one instruction; without it (a
 * core without DSP, or a host) its twin in portable C gives the same bits. Sums of products wrap modulo 2^32. */
#ifndef WVV_SIMD_H_
#define WVV_SIMD_H_

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define WVV_DSP 1
#else
#define WVV_DSP 0
#endif

/* Vectors of integers (Helium). */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define WVV_MVE 1
#else
#define WVV_MVE 0
#endif

/* Four bytes as a word, the first of them lowest; the address needs no alignment. */
static inline uint32_t wvv_load4(const void* from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

static inline void wvv_store4(void* to, uint32_t word) { memcpy(to, &word, sizeof word); }

/* The numbers of a pair. The conversions of what is above 2^15 and 2^31 are GCC's and Clang's: modulo 2^n. */
static inline int32_t wvv_low(uint32_t pair) { return (int16_t)(uint16_t)pair; }
static inline int32_t wvv_high(uint32_t pair) { return (int16_t)(uint16_t)(pair >> 16); }
static inline uint32_t wvv_pair(int32_t low, int32_t high) {
  return ((uint32_t)high << 16) | ((uint32_t)low & 0xffffu);
}

#if WVV_DSP

#define WVV_BINARY(name, instruction)                                                \
  static inline uint32_t name(uint32_t a, uint32_t b) {                              \
    uint32_t result;                                                                 \
    __asm__(instruction " %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));              \
    return result;                                                                   \
  }
#define WVV_TERNARY(name, instruction)                                               \
  static inline uint32_t name(uint32_t a, uint32_t b, uint32_t c) {                  \
    uint32_t result;                                                                 \
    __asm__(instruction " %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c)); \
    return result;                                                                   \
  }

/* Assembly, not ACLE: GCC treats ACLE's forms that may set the Q flag as more than plain arithmetic. */
WVV_TERNARY(wvv_smlad, "smlad")
WVV_TERNARY(wvv_smladx, "smladx")
WVV_BINARY(wvv_smuad, "smuad")
WVV_BINARY(wvv_sadd16, "sadd16")
WVV_BINARY(wvv_ssub16, "ssub16")
WVV_BINARY(wvv_sxtab16, "sxtab16")

static inline uint32_t wvv_sxtab16_ror8(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

static inline uint32_t wvv_sxtb16(uint32_t a) {
  uint32_t result;
  __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(a));
  return result;
}

static inline uint32_t wvv_sxtb16_ror8(uint32_t a) {
  uint32_t result;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(a));
  return result;
}

/* (low of a, low of b) and (high of a, high of b): two pairs transposed. */
static inline uint32_t wvv_lows(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

static inline uint32_t wvv_highs(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

static inline int32_t wvv_smmulr(int32_t a, int32_t b) {
  int32_t result;
  __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

/* c and the upper word of a * b, rounded. */
static inline int32_t wvv_smmlar(int32_t a, int32_t b, int32_t c) {
  int32_t result;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
}

/* c and the product of a with one number of the pair b, without its 16 lowest bits. */
static inline int32_t wvv_smlawb(int32_t a, uint32_t b, int32_t c) {
  int32_t result;
  __asm__("smlawb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
}

static inline int32_t wvv_smlawt(int32_t a, uint32_t b, int32_t c) {
  int32_t result;
  __asm__("smlawt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
}

static inline int32_t wvv_ssat8(int32_t a) {
  int32_t result;
  __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(a) : "cc");
  return result;
}

#else

static inline uint32_t wvv_smlad(uint32_t a, uint32_t b, uint32_t c) {
  return c + (uint32_t)(wvv_low(a) * wvv_low(b)) + (uint32_t)(wvv_high(a) * wvv_high(b));
}

static inline uint32_t wvv_smladx(uint32_t a, uint32_t b, uint32_t c) {
  return c + (uint32_t)(wvv_low(a) * wvv_high(b)) + (uint32_t)(wvv_high(a) * wvv_low(b));
}

static inline uint32_t wvv_smuad(uint32_t a, uint32_t b) { return wvv_smlad(a, b, 0); }

static inline uint32_t wvv_sadd16(uint32_t a, uint32_t b) {
  return ((a + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
}

static inline uint32_t wvv_ssub16(uint32_t a, uint32_t b) {
  return ((a - b) & 0xffffu) | ((a & 0xffff0000u) - (b & 0xffff0000u));
}

static inline uint32_t wvv_sxtb16(uint32_t a) {
  return wvv_pair((int8_t)(uint8_t)a, (int8_t)(uint8_t)(a >> 16));
}

static inline uint32_t wvv_sxtb16_ror8(uint32_t a) { return wvv_sxtb16(a >> 8); }
static inline uint32_t wvv_sxtab16(uint32_t a, uint32_t b) { return wvv_sadd16(a, wvv_sxtb16(b)); }
static inline uint32_t wvv_sxtab16_ror8(uint32_t a, uint32_t b) { return wvv_sadd16(a, wvv_sxtb16_ror8(b)); }
static inline uint32_t wvv_lows(uint32_t a, uint32_t b) { return (a & 0xffffu) | (b << 16); }
static inline uint32_t wvv_highs(uint32_t a, uint32_t b) { return (a >> 16) | (b & 0xffff0000u); }

static inline int32_t wvv_smmulr(int32_t a, int32_t b) {
  return (int32_t)((uint64_t)((int64_t)a * b + (INT64_C(1) << 31)) >> 32);
}

static inline int32_t wvv_smmlar(int32_t a, int32_t b, int32_t c) {
  return (int32_t)((uint32_t)c + (uint32_t)wvv_smmulr(a, b));
}

static inline int32_t wvv_smlaw(int32_t a, int32_t b, int32_t c) {
  return (int32_t)((uint32_t)c + (uint32_t)(((int64_t)a * b) >> 16));
}

static inline int32_t wvv_smlawb(int32_t a, uint32_t b, int32_t c) { return wvv_smlaw(a, wvv_low(b), c); }
static inline int32_t wvv_smlawt(int32_t a, uint32_t b, int32_t c) { return wvv_smlaw(a, wvv_high(b), c); }
static inline int32_t wvv_ssat8(int32_t a) { return a < -128 ? -128 : a > 127 ? 127 : a; }

#endif

/* An arithmetic shift that wraps nothing: GCC and Clang shift negative numbers to the right with their sign. */
static inline int32_t wvv_asr(uint32_t value, int places) { return (int32_t)value >> places; }

#endif
