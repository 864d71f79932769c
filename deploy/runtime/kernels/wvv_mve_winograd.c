#include "wvv_mve_winograd.h"

enum { TAPS = 36, SIZE = 4, LANES = 8, TOGETHER = 4 };

/* What a walk over tiles is at. */
struct place {
  int32_t n, row, column;
};

static inline struct place next(struct place at, int32_t rows, int32_t columns) {
  if (++at.column == columns) {
    at.column = 0;
    if (++at.row == rows) {
      at.row = 0;
      ++at.n;
    }
  }
  return at;
}

static inline void store(int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *y,
                         struct place at, int32_t output) {
  const int32_t row = at.row * SIZE, column = at.column * SIZE;
  int8_t *const out = y + ((at.n * l->out_height + row) * l->out_width + column) * l->outputs + output;
  wvv_mve_f4_output(m, stage, l, out, l->out_height - row, l->out_width - column, l->outputs - output);
}

void wvv_mve_winograd(const int8_t *x, const int32_t *u, const int32_t *stage, const int32_t *layer, int8_t *y,
                      int32_t *scratch) {
  const struct wvv_mve_winograd *const l = (const struct wvv_mve_winograd *)layer;
  const int32_t vectors = (l->channels + LANES - 1) / LANES, step = vectors * LANES;
  const int32_t rows = (l->out_height + SIZE - 1) / SIZE, columns = (l->out_width + SIZE - 1) / SIZE;
  const int32_t image_bytes = l->height * l->width * l->channels;
  int16_t *const v = (int16_t *)scratch;
  int32_t *const m = scratch + TAPS * step;
  struct place at = {0, 0, 0};
  for (int32_t left = l->batch * rows * columns; left > 0; left -= 2) {
    const struct place second = next(at, rows, columns);
    const struct place both[2] = {at, second};
    for (int32_t k = 0; k < 2 && k < left; ++k) {
      wvv_mve_f4_input(x + both[k].n * image_bytes, l, both[k].row * SIZE - l->top, both[k].column * SIZE - l->left,
                       v + k * TAPS * step, step, m);
    }
    const int16_t *weights = (const int16_t *)u;
    const int32_t *stages = stage;
    for (int32_t output = 0; output < l->outputs; output += TOGETHER, stages += 3 * TOGETHER) {
      wvv_mve_product(v, v + (left > 1 ? TAPS * step : 0), weights, m, TAPS, vectors);
      weights += TOGETHER * TAPS * step;
      store(m, stages, l, y, at, output);
      if (left > 1) {
        store(m + TOGETHER, stages, l, y, second, output);
      }
    }
    at = next(second, rows, columns);
  }
}
