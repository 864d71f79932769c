/* Transforms of F(4x4, 3x3) over the points 0, 1, -1, infinity, i and -i, the last two as one pair of real numbers.
 *
 * Input, in one dimension: four real values, then real and imaginary part of the pair.
 *   v0 = d0 - d4    v1 = d1 + d2 + d3 + d4    v2 = d2 - d1 + d4 - d3    v3 = d5 - d1    re = d4 - d2    im = d3 - d1
 * Of these only v1 has coefficients that do not add up to zero, but to 4.
 * In two dimensions 16 products are real; the others belong to complex numbers of three products k1, k2, k3 each. Of
 * 4 of rows and 4 of columns the operands are re - im, re, im, and (k1 + k2) + (k1 + k3) i is the product; of 2 of both
 * they are re + im, re, im, and it is (k1 - k3) + (k1 + k2) i. */
#include "wvv_mve_vectors.h"
#include "wvv_mve_winograd.h"

enum { TILE = 6, SIZE = 4, REAL = 4, OF_ROWS = 16, OF_COLUMNS = 28, OF_BOTH = 40, THREE = 3 };
enum { LANES = 8, TOGETHER = 4, TAP_WORDS = 8, ROW = TILE * TOGETHER };

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void into(wvv_v8 d0, wvv_v8 d1, wvv_v8 d2, wvv_v8 d3, wvv_v8 d4, wvv_v8 d5, wvv_v8 v[TILE]) {
  const wvv_v8 even = d2 + d4, odd = d1 + d3;
  v[0] = d0 - d4;
  v[1] = even + odd;
  v[2] = even - odd;
  v[3] = d5 - d1;
  v[4] = d4 - d2;
  v[5] = d3 - d1;
}

ALWAYS void into_from(const int16_t *s, wvv_v8 v[TILE]) {
  into(wvv_load8s(s), wvv_load8s(s + LANES), wvv_load8s(s + 2 * LANES), wvv_load8s(s + 3 * LANES),
       wvv_load8s(s + 4 * LANES), wvv_load8s(s + 5 * LANES), v);
}

/* The three operands of a complex number, the first of them given. */
ALWAYS int16_t *operands(wvv_v8 first, wvv_v8 re, wvv_v8 im, int16_t *v, int32_t step) {
  wvv_store8s(v, first);
  v += step;
  wvv_store8s(v, re);
  v += step;
  wvv_store8s(v, im);
  return v + step;
}

ALWAYS int16_t *operands_of_one(wvv_v8 re, wvv_v8 im, int16_t *v, int32_t step) {
  return operands(re - im, re, im, v, step);
}

ALWAYS int16_t *operands_of_both(wvv_v8 re, wvv_v8 im, int16_t *v, int32_t step) {
  return operands(re + im, re, im, v, step);
}

ALWAYS void columns_of(const int8_t *x, int32_t row_bytes, int32_t column_bytes, int16_t *by_columns) {
  wvv_v8 v[TILE];
#pragma GCC unroll 1
  for (int column = 0; column < TILE; ++column, x += column_bytes, by_columns += LANES) {
    const int8_t *const lower = x + 3 * row_bytes;
    into(wvv_widened8(x), wvv_widened8(x + row_bytes), wvv_widened8(x + 2 * row_bytes), wvv_widened8(lower),
         wvv_widened8(lower + row_bytes), wvv_widened8(lower + 2 * row_bytes), v);
    for (int row = 0; row < TILE; ++row) {
      wvv_store8s(by_columns + row * TILE * LANES, v[row]);
    }
  }
}

/* Four rows of real values, whose last two are a complex number each. */
ALWAYS void real_rows(const int16_t *by_columns, int16_t *v, int32_t step) {
  int16_t *numbers = v + OF_ROWS * step;
  wvv_v8 made[TILE];
#pragma GCC unroll 1
  for (int row = 0; row < REAL; ++row, by_columns += TILE * LANES) {
    into_from(by_columns, made);
    for (int column = 0; column < REAL; ++column, v += step) {
      wvv_store8s(v, made[column]);
    }
    numbers = operands_of_one(made[4], made[5], numbers, step);
  }
}

/* The row of real parts and that of imaginary ones, which are written over: by memory, for there are twelve of them. */
ALWAYS void complex_rows(int16_t *re, int16_t *v, int32_t step) {
  int16_t *const im = re + TILE * LANES;
  wvv_v8 made[TILE];
#pragma GCC unroll 1
  for (int row = 0; row < 2; ++row) {
    into_from(re + row * TILE * LANES, made);
    for (int column = 0; column < TILE; ++column) {
      wvv_store8s(re + (row * TILE + column) * LANES, made[column]);
    }
  }
#pragma GCC unroll 1
  for (int column = 0; column < REAL; ++column) {
    v = operands_of_one(wvv_load8s(re + column * LANES), wvv_load8s(im + column * LANES), v, step);
  }
  const wvv_v8 re4 = wvv_load8s(re + 4 * LANES), re5 = wvv_load8s(re + 5 * LANES);
  const wvv_v8 im4 = wvv_load8s(im + 4 * LANES), im5 = wvv_load8s(im + 5 * LANES);
  v = operands_of_both(re4 - im5, re5 + im4, v, step);
  operands_of_both(re4 + im5, im4 - re5, v, step);
}

void wvv_mve_f4c_group(const int8_t *x, int32_t row_bytes, int32_t column_bytes, int16_t *v, int32_t step,
                       int32_t excess, int32_t *scratch) {
  int16_t *const by_columns = (int16_t *)scratch;
  step /= 2;
  int16_t *const centre = v + (REAL + 1) * step;
  columns_of(x, row_bytes, column_bytes, by_columns);
  real_rows(by_columns, v, step);
  complex_rows(by_columns + REAL * TILE * LANES, v + OF_COLUMNS * step, step);
  wvv_store8s(centre, wvv_load8s(centre) - (uint16_t)excess);
}

/* 4 y from real values and a complex number, of which twice the real part counts. */
ALWAYS void out_of(wvv_v4 m0, wvv_v4 m1, wvv_v4 m2, wvv_v4 m3, wvv_v4 re, wvv_v4 im, int32_t *y, int step) {
  const wvv_v4 even = m1 + m2, odd = m1 - m2;
  wvv_store4s(y, even + ((m0 + re) << 1));
  wvv_store4s(y + step, odd - (im << 1));
  wvv_store4s(y + 2 * step, even - (re << 1));
  wvv_store4s(y + 3 * step, odd + ((m3 + im) << 1));
}

/* The same from [6], where real parts of two conjugate numbers have been added up already. */
ALWAYS void out_of_sums(const int32_t *s, int32_t *y, int step) {
  const wvv_v4 m1 = wvv_load4s(s + TOGETHER), m2 = wvv_load4s(s + 2 * TOGETHER);
  const wvv_v4 re = wvv_load4s(s + 4 * TOGETHER), im = wvv_load4s(s + 5 * TOGETHER);
  const wvv_v4 even = m1 + m2, odd = m1 - m2;
  wvv_store4s(y, even + (wvv_load4s(s) << 1) + re);
  wvv_store4s(y + step, odd - im);
  wvv_store4s(y + 2 * step, even - re);
  wvv_store4s(y + 3 * step, odd + (wvv_load4s(s + 3 * TOGETHER) << 1) + im);
}

ALWAYS wvv_v4 at(const int32_t *m, int tap) { return wvv_load4s(m + tap * TAP_WORDS); }
ALWAYS wvv_v4 real_of_one(const int32_t *k) { return at(k, 0) + at(k, 1); }
ALWAYS wvv_v4 imaginary_of_one(const int32_t *k) { return at(k, 0) + at(k, 2); }
ALWAYS wvv_v4 real_of_both(const int32_t *k) { return at(k, 0) - at(k, 2); }
ALWAYS wvv_v4 imaginary_of_both(const int32_t *k) { return at(k, 0) + at(k, 1); }

/* `parts` holds the real parts of what belongs to rows, and the imaginary ones. */
ALWAYS void columns_back(const int32_t *m, int32_t parts[2 * ROW], int32_t made[SIZE * ROW]) {
  int32_t *const re = parts, *const im = parts + ROW;
#pragma GCC unroll 1
  for (int k = 0; k < REAL; ++k) {
    const int32_t *const column = m + k * TAP_WORDS, *number = m + (OF_COLUMNS + THREE * k) * TAP_WORDS;
    out_of(at(column, 0), at(column, 4), at(column, 8), at(column, 12), real_of_one(number), imaginary_of_one(number),
           made + k * TOGETHER, ROW);
    number = m + (OF_ROWS + THREE * k) * TAP_WORDS;
    wvv_store4s(re + k * TOGETHER, real_of_one(number));
    wvv_store4s(im + k * TOGETHER, imaginary_of_one(number));
  }
  const int32_t *const one = m + OF_BOTH * TAP_WORDS, *const other = one + THREE * TAP_WORDS;
  const wvv_v4 re1 = real_of_both(one), im1 = imaginary_of_both(one);
  const wvv_v4 re2 = real_of_both(other), im2 = imaginary_of_both(other);
  wvv_store4s(re + REAL * TOGETHER, re1 + re2);
  wvv_store4s(re + (REAL + 1) * TOGETHER, im1 + im2);
  wvv_store4s(im + REAL * TOGETHER, im1 - im2);
  wvv_store4s(im + (REAL + 1) * TOGETHER, re2 - re1);
#pragma GCC unroll 1
  for (int k = 0; k < 2; ++k) {
    out_of_sums(parts + k * ROW, made + (REAL + k) * TOGETHER, ROW);
  }
}

void wvv_mve_f4c_output(int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out, int32_t rows,
                        int32_t columns, int32_t outputs, int32_t left) {
  int32_t made[SIZE * ROW], sums[SIZE * SIZE * TOGETHER];
  columns_back(m, sums, made);
  if (wvv_mve_f4c_rows(made, stage, l, out, rows, columns, outputs, left)) {
    return;
  }
#pragma GCC unroll 1
  for (int row = 0; row < SIZE; ++row) {
    const int32_t *const s = made + row * ROW;
    out_of(wvv_load4s(s), wvv_load4s(s + 4), wvv_load4s(s + 8), wvv_load4s(s + 12), wvv_load4s(s + 16),
           wvv_load4s(s + 20), sums + row * SIZE * TOGETHER, TOGETHER);
  }
  wvv_mve_finish(sums, SIZE, left, stage, l, out, rows, columns, outputs);
}
