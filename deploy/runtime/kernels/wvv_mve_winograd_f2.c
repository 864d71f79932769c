/* Transforms of F(2x2, 3x3) over the points 0, 1, -1 and infinity, in one dimension:
 *   v0 = d0 - d2     v1 = d1 + d2     v2 = d2 - d1     v3 = d3 - d1       2 y0 = m0 + m1 + m2     2 y1 = m1 - m2 + m3
 * Of these only v1 has coefficients that do not add up to zero, but to 2. */
#include "wvv_mve_vectors.h"
#include "wvv_mve_winograd.h"

enum { TILE = 4, SIZE = 2, LANES = 8, TOGETHER = 4, TAP_WORDS = 8 };

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void into(wvv_v8 d0, wvv_v8 d1, wvv_v8 d2, wvv_v8 d3, wvv_v8 v[TILE]) {
  v[0] = d0 - d2;
  v[1] = d1 + d2;
  v[2] = d2 - d1;
  v[3] = d3 - d1;
}

void wvv_mve_f2_group(const int8_t *x, int32_t row_bytes, int32_t column_bytes, int16_t *v, int32_t step,
                      int32_t excess, int32_t *scratch) {
  int16_t *const by_columns = (int16_t *)scratch;
  wvv_v8 made[TILE];
  for (int column = 0; column < TILE; ++column, x += column_bytes) {
    into(wvv_widened8(x), wvv_widened8(x + row_bytes), wvv_widened8(x + 2 * row_bytes),
         wvv_widened8(x + 3 * row_bytes), made);
    for (int row = 0; row < TILE; ++row) {
      wvv_store8s(by_columns + (row * TILE + column) * LANES, made[row]);
    }
  }
  step /= 2;
  for (int row = 0; row < TILE; ++row) {
    const int16_t *const s = by_columns + row * TILE * LANES;
    into(wvv_load8s(s), wvv_load8s(s + LANES), wvv_load8s(s + 2 * LANES), wvv_load8s(s + 3 * LANES), made);
    if (row == 1) {
      made[1] -= (uint16_t)excess;
    }
    for (int column = 0; column < TILE; ++column, v += step) {
      wvv_store8s(v, made[column]);
    }
  }
}

void wvv_mve_f2_output(int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out, int32_t rows,
                       int32_t columns, int32_t outputs, int32_t left) {
  int32_t sums[SIZE * SIZE * TOGETHER], *to = sums;
  wvv_v4 s[SIZE][TILE];
  for (int column = 0; column < TILE; ++column, m += TAP_WORDS) {
    const wvv_v4 m1 = wvv_load4s(m + 4 * TAP_WORDS), m2 = wvv_load4s(m + 8 * TAP_WORDS);
    s[0][column] = wvv_load4s(m) + m1 + m2;
    s[1][column] = m1 - m2 + wvv_load4s(m + 12 * TAP_WORDS);
  }
  for (int row = 0; row < SIZE; ++row, to += SIZE * TOGETHER) {
    wvv_store4s(to, s[row][0] + s[row][1] + s[row][2]);
    wvv_store4s(to + TOGETHER, s[row][1] - s[row][2] + s[row][3]);
  }
  wvv_mve_finish(sums, SIZE, left, stage, l, out, rows, columns, outputs);
}
