#include "wvv_softmax.h"

#include "wvv_simd.h"

/* Fraction bits that exponentials lose in a sum, bits of the output's fraction, Newton's steps and its first line. */
enum { SUM_BITS = 12, OUTPUT_BITS = 8, STEPS = 3, START = 1515870810, SLOPE = -1010580540, ONE = 1 << 29 };

static int32_t doubled_high(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* 1 / total in units of 2^-31, and by how many places to the right a product with it is an output. */
struct share {
  int32_t inverse, right;
};

static struct share share_of(uint32_t total) {
  const int32_t headroom = __builtin_clz(total);
  const int32_t half = (int32_t)(total << headroom >> 1);
  int32_t inverse = START + doubled_high(half, SLOPE);
  for (int32_t step = 0; step < STEPS; ++step) {
    inverse += doubled_high(inverse, ONE - doubled_high(half, inverse)) * 4;
  }
  const struct share share = {inverse >= 1 << 30 ? INT32_MAX : inverse * 2, 31 - OUTPUT_BITS + SUM_BITS - headroom};
  return share;
}

#if WVV_MVE
#include <arm_mve.h>

static int32_t peak(const int8_t *x, int32_t size) {
  int8_t greatest = INT8_MIN;
  for (int32_t n = 0; n < size; n += 16) {
    const mve_pred16_t here = vctp8q((uint32_t)(size - n));
    greatest = vmaxvq_p_s8(greatest, vldrbq_z_s8(x + n, here), here);
  }
  return greatest;
}

static inline int32x4_t exponential(const int8_t *x, int32_t greatest, const int32_t *table, mve_pred16_t here) {
  const int32x4_t down = vsubq_s32(vdupq_n_s32(greatest), vldrbq_z_s32(x, here));
  return vldrwq_gather_shifted_offset_z_s32(table, (uint32x4_t)down, here);
}

static uint32_t total_of(const int8_t *x, int32_t size, int32_t greatest, const int32_t *table) {
  int32_t total = 0;
  for (int32_t n = 0; n < size; n += 4) {
    const mve_pred16_t here = vctp32q((uint32_t)(size - n));
    total = vaddvaq_s32(total, vrshrq_n_s32(exponential(x + n, greatest, table, here), SUM_BITS));
  }
  return (uint32_t)total;
}

static void divide(const int8_t *x, int32_t size, int32_t greatest, const int32_t *table, struct share share,
                   int8_t *y) {
  for (int32_t n = 0; n < size; n += 4) {
    const mve_pred16_t here = vctp32q((uint32_t)(size - n));
    const int32x4_t product = vqrdmulhq_n_s32(exponential(x + n, greatest, table, here), share.inverse);
    const int32x4_t value = vsubq_n_s32(vrshlq_n_s32(product, -share.right), 128);
    vstrbq_p_s32(y + n, vminq_s32(value, vdupq_n_s32(INT8_MAX)), here);
  }
}

#else

static int32_t peak(const int8_t *x, int32_t size) {
  int32_t greatest = INT8_MIN;
  for (int32_t n = 0; n < size; ++n) {
    greatest = x[n] > greatest ? x[n] : greatest;
  }
  return greatest;
}

static uint32_t total_of(const int8_t *x, int32_t size, int32_t greatest, const int32_t *table) {
  uint32_t total = 0;
  for (int32_t n = 0; n < size; ++n) {
    total += ((uint32_t)table[greatest - x[n]] + (1u << (SUM_BITS - 1))) >> SUM_BITS;
  }
  return total;
}

static void divide(const int8_t *x, int32_t size, int32_t greatest, const int32_t *table, struct share share,
                   int8_t *y) {
  /* By more than 31 places nothing is left: products are below 2^31. */
  const int32_t right = share.right < 31 ? share.right : 31;
  const uint32_t half = share.right > 31 ? 0 : 1u << (right - 1);
  for (int32_t n = 0; n < size; ++n) {
    const uint32_t twice = 2 * (uint32_t)table[greatest - x[n]];
    const uint32_t product = (uint32_t)(((uint64_t)twice * (uint32_t)share.inverse + (UINT64_C(1) << 31)) >> 32);
    const int32_t value = (int32_t)((product + half) >> right) - 128;
    y[n] = (int8_t)(value > INT8_MAX ? INT8_MAX : value);
  }
}

#endif

void wvv_softmax(const int8_t *x, const int32_t *exponentials, const int32_t *layer, int8_t *y) {
  const struct wvv_softmax *const l = (const struct wvv_softmax *)layer;
  for (int32_t row = 0; row < l->rows; ++row, x += l->size, y += l->size) {
    const int32_t greatest = peak(x, l->size);
    const struct share share = share_of(total_of(x, l->size, greatest, exponentials));
    divide(x, l->size, greatest, exponentials, share, y);
  }
}
