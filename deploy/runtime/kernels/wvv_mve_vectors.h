/* Vectors of 16 bytes, as the compiler's own type: additions and shifts by constants are written as such, and are
 * instructions where there are any. The rest is one intrinsic with MVE, and its twin in portable C elsewhere. */
#ifndef WVV_MVE_VECTORS_H_
#define WVV_MVE_VECTORS_H_

#include <stdint.h>
#include <string.h>

#include "wvv_simd.h"

/* Unsigned, so that they wrap. */
typedef uint32_t wvv_v4 __attribute__((vector_size(16)));
typedef int32_t wvv_signed4 __attribute__((vector_size(16)));
typedef uint16_t wvv_v8 __attribute__((vector_size(16)));

static inline wvv_v4 wvv_right4(wvv_v4 value, int places) { return (wvv_v4)((wvv_signed4)value >> places); }

#if WVV_MVE
#include <arm_mve.h>

static inline wvv_v4 wvv_load4s(const int32_t *from) { return (wvv_v4)vld1q_s32(from); }
static inline void wvv_store4s(int32_t *to, wvv_v4 value) { vst1q_s32(to, (int32x4_t)value); }
static inline wvv_v8 wvv_load8s(const int16_t *from) { return (wvv_v8)vld1q_s16(from); }
static inline void wvv_store8s(int16_t *to, wvv_v8 value) { vst1q_s16(to, (int16x8_t)value); }
/* Eight bytes with their signs. */
static inline wvv_v8 wvv_widened8(const int8_t *from) { return (wvv_v8)vldrbq_s16(from); }
/* Places to the left, or to the right where that is negative. */
static inline wvv_v4 wvv_shifted4(wvv_v4 value, int32_t left) { return (wvv_v4)vshlq_r_s32((int32x4_t)value, left); }
static inline wvv_v4 wvv_doubling_high(wvv_v4 a, wvv_v4 b) {
  return (wvv_v4)vqrdmulhq_s32((int32x4_t)a, (int32x4_t)b);
}
/* By 0 to 30 places to the right, given as negative numbers; halves go up. */
static inline wvv_v4 wvv_rounded4(wvv_v4 value, wvv_v4 left) {
  return (wvv_v4)vrshlq_s32((int32x4_t)value, (int32x4_t)left);
}
static inline wvv_v4 wvv_clamped4(wvv_v4 value, int32_t low, int32_t high) {
  return (wvv_v4)vminq_s32(vmaxq_s32((int32x4_t)value, vdupq_n_s32(low)), vdupq_n_s32(high));
}
static inline void wvv_store_up_to_four(int8_t *to, wvv_v4 value, int32_t count) {
  vstrbq_p_s32(to, (int32x4_t)value, vctp32q((uint32_t)count));
}
#else
static inline wvv_v4 wvv_load4s(const int32_t *from) {
  wvv_v4 value;
  memcpy(&value, from, sizeof value);
  return value;
}
static inline void wvv_store4s(int32_t *to, wvv_v4 value) { memcpy(to, &value, sizeof value); }
static inline wvv_v8 wvv_load8s(const int16_t *from) {
  wvv_v8 value;
  memcpy(&value, from, sizeof value);
  return value;
}
static inline void wvv_store8s(int16_t *to, wvv_v8 value) { memcpy(to, &value, sizeof value); }
static inline wvv_v8 wvv_widened8(const int8_t *from) {
  wvv_v8 value;
  for (int32_t n = 0; n < 8; ++n) {
    value[n] = (uint16_t)from[n];
  }
  return value;
}
static inline wvv_v4 wvv_shifted4(wvv_v4 value, int32_t left) {
  return left < 0 ? wvv_right4(value, -left) : value << left;
}
static inline wvv_v4 wvv_doubling_high(wvv_v4 a, wvv_v4 b) {
  for (int32_t n = 0; n < 4; ++n) {
    a[n] = (uint32_t)(((int64_t)(int32_t)a[n] * (int32_t)b[n] + (INT64_C(1) << 30)) >> 31);
  }
  return a;
}
static inline wvv_v4 wvv_rounded4(wvv_v4 value, wvv_v4 left) {
  for (int32_t n = 0; n < 4; ++n) {
    const int32_t places = -(int32_t)left[n];
    value[n] = (uint32_t)(((int64_t)(int32_t)value[n] + (INT64_C(1) << places >> 1)) >> places);
  }
  return value;
}
static inline wvv_v4 wvv_clamped4(wvv_v4 value, int32_t low, int32_t high) {
  for (int32_t n = 0; n < 4; ++n) {
    const int32_t raised = (int32_t)value[n] < low ? low : (int32_t)value[n];
    value[n] = (uint32_t)(raised > high ? high : raised);
  }
  return value;
}
static inline void wvv_store_up_to_four(int8_t *to, wvv_v4 value, int32_t count) {
  for (int32_t n = 0; n < count && n < 4; ++n) {
    to[n] = (int8_t)(uint8_t)value[n];
  }
}
#endif

#endif
