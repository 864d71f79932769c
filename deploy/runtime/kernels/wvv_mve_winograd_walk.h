/* The walk over tiles and outputs of a Winograd layer, to be compiled for one variant. */
#ifndef WVV_MVE_WINOGRAD_WALK_H_
#define WVV_MVE_WINOGRAD_WALK_H_

#include "wvv_mve_bytes.h"
#include "wvv_mve_winograd.h"

enum { WVV_LANES = 8, WVV_VECTOR_BYTES = 16, WVV_TOGETHER = 4, WVV_STAGE_WORDS = 12 };

#define WVV_ALWAYS static inline __attribute__((always_inline))

/* Of a constant image one tap is `excess` times as much. `left`: places of the scale of A M, negated. */
struct wvv_mve_variant {
  int32_t tile, size, taps, excess, left;
  wvv_mve_group *group;
  wvv_mve_output *output;
};

/* What a walk over tiles is at. */
struct wvv_mve_place {
  int32_t n, row, column;
};

WVV_ALWAYS struct wvv_mve_place wvv_mve_next(struct wvv_mve_place at, int32_t rows, int32_t columns) {
  if (++at.column == columns) {
    at.column = 0;
    if (++at.row == rows) {
      at.row = 0;
      ++at.n;
    }
  }
  return at;
}

WVV_ALWAYS int32_t wvv_within(int32_t place, int32_t tile) { return place < 0 ? 0 : place > tile ? tile : place; }

/* V of one tile, whose first pixel may lie outside of the image; `step` are the channels of V. With `taps` V is int8.
 * A tile that reaches over an edge, or ends in a part of a vector, goes by way of a patch. */
WVV_ALWAYS void wvv_mve_input(const struct wvv_mve_variant t, const int8_t *x, const struct wvv_mve_winograd *l,
                              struct wvv_mve_place at, void *v, int32_t step, const int32_t *taps, int32_t *scratch) {
  const int32_t channels = l->channels, row_bytes = l->width * channels;
  const int32_t row = at.row * t.size - l->top, column = at.column * t.size - l->left;
  const int32_t first = at.n * l->height * row_bytes + row * row_bytes + column * channels;
  const int32_t top = wvv_within(-row, t.tile), bottom = wvv_within(l->height - row, t.tile);
  const int32_t left = wvv_within(-column, t.tile), right = wvv_within(l->width - column, t.tile);
  const int whole = top == 0 && left == 0 && bottom == t.tile && right == t.tile;
  const int32_t cells = t.tile * t.tile;
  int8_t *const patch = (int8_t *)(scratch + cells * WVV_LANES / 2);
  int16_t *const made = (int16_t *)(patch + cells * WVV_LANES);
  if (!whole) {
    wvv_fill_bytes(patch, l->zero_point, cells * WVV_LANES);
  }
  for (int32_t channel = 0; channel < channels; channel += WVV_LANES) {
    const int32_t count = channels - channel;
    const int8_t *from = patch;
    int32_t next_row = t.tile * WVV_LANES, next_pixel = WVV_LANES;
    if (whole && count >= WVV_LANES) {
      from = x + (first + channel), next_row = row_bytes, next_pixel = channels;
    } else {
      for (int32_t h = top; h < bottom; ++h) {
        wvv_copy_groups(patch + (h * t.tile + left) * WVV_LANES,
                        x + (first + h * row_bytes + left * channels + channel), right - left, channels, count);
      }
    }
    const int32_t excess = t.excess * l->zero_point;
    if (taps) {
      t.group(from, next_row, next_pixel, made, 2 * WVV_LANES, excess, scratch);
      wvv_mve_round_inputs(made, taps, (int8_t *)v + channel, step, t.taps);
    } else {
      t.group(from, next_row, next_pixel, (int16_t *)v + channel, 2 * step, excess, scratch);
    }
  }
}

/* From M, or k M, to outputs of one tile. */
WVV_ALWAYS void wvv_mve_store(const struct wvv_mve_variant t, int32_t *m, const int32_t *stage,
                              const struct wvv_mve_winograd *l, int8_t *y, struct wvv_mve_place at, int32_t output) {
  const int32_t row = at.row * t.size, column = at.column * t.size;
  int8_t *const out = y + ((at.n * l->out_height + row) * l->out_width + column) * l->outputs + output;
  t.output(m, stage, l, out, l->out_height - row, l->out_width - column, l->outputs - output, t.left);
}

/* `taps` chooses int8, as a constant. */
WVV_ALWAYS void wvv_mve_walk(const struct wvv_mve_variant t, const int8_t *x, const void *u, const int32_t *taps,
                             const int32_t *stage, const int32_t *layer, int8_t *y, int32_t *scratch) {
  const struct wvv_mve_winograd *const l = (const struct wvv_mve_winograd *)layer;
  const int32_t lanes = taps ? WVV_VECTOR_BYTES : WVV_LANES, vectors = (l->channels + lanes - 1) / lanes;
  const int32_t tile_bytes = t.taps * vectors * WVV_VECTOR_BYTES;
  const int32_t rows = (l->out_height + t.size - 1) / t.size, columns = (l->out_width + t.size - 1) / t.size;
  int8_t *const v = (int8_t *)scratch;
  int32_t *const m = scratch + tile_bytes / 2;
  struct wvv_mve_place at = {0, 0, 0};
  for (int32_t left = l->batch * rows * columns; left > 0; left -= 2) {
    const struct wvv_mve_place second = wvv_mve_next(at, rows, columns);
    const struct wvv_mve_place both[2] = {at, second};
    for (int32_t k = 0; k < 2 && k < left; ++k) {
      wvv_mve_input(t, x, l, both[k], v + k * tile_bytes, vectors * lanes, taps, m);
    }
    const int8_t *weights = (const int8_t *)u, *const other = left > 1 ? v + tile_bytes : v;
    const int32_t *stages = stage;
    for (int32_t output = 0; output < l->outputs; output += WVV_TOGETHER) {
      if (taps) {
        wvv_mve_product_int8(v, other, weights, m, t.taps, vectors);
        wvv_mve_round_products(m, taps, stages + WVV_STAGE_WORDS, l, t.taps);
      } else {
        wvv_mve_product((const int16_t *)v, (const int16_t *)other, (const int16_t *)weights, m, t.taps, vectors);
      }
      for (int32_t k = 0; k < 2 && k < left; ++k) {
        wvv_mve_store(t, m + k * WVV_TOGETHER, stages, l, y, both[k], output);
      }
      weights += WVV_TOGETHER * tile_bytes;
      stages += taps ? l->block_words : WVV_STAGE_WORDS;
    }
    at = wvv_mve_next(second, rows, columns);
  }
}

#define WVV_MVE_DEFINE_EXACT(name, variant)                                                                      \
  void name(const int8_t *x, const int32_t *u, const int32_t *stage, const int32_t *layer, int8_t *y,            \
            int32_t *scratch) {                                                                                  \
    wvv_mve_walk((struct wvv_mve_variant)variant, x, u, 0, stage, layer, y, scratch);                             \
  }
#define WVV_MVE_DEFINE_INT8(name, variant)                                                                       \
  void name(const int8_t *x, const int32_t *u, const int32_t *taps, const int32_t *stage, const int32_t *layer,   \
            int8_t *y, int32_t *scratch) {                                                                       \
    wvv_mve_walk((struct wvv_mve_variant)variant, x, u, taps, stage, layer, y, scratch);                          \
  }

#endif
