#include "wvv_mve_depthwise.h"

#include "wvv_mve_bytes.h"

enum { VECTOR = 16, FOUR = 4, END_WORDS = 12 };

static int32_t fours(int32_t count) { return (count + 3) >> 2; }

/* Where a row of outputs begins to read, and the columns of the packed row that lie on the image. */
struct source {
  const int8_t *image, *fill;
  int32_t begin, count;
  uint8_t lane[WVV_PACKED_LANES];
  int32_t lanes;
};

/* Up to four rows of a window, from row `first` of it on; rows that leave the image are read from the fill. */
static void pack_rows(int8_t *to, const struct source *from, int32_t top, int32_t first, const struct wvv_layer *l,
                      int32_t plain) {
  const int8_t *rows[WVV_PACKED_ROWS];
  int32_t steps[WVV_PACKED_ROWS];
  for (int32_t k = 0; k < WVV_PACKED_ROWS; ++k) {
    const int32_t row = top + (first + k) * l->dilation_h;
    const int inside = first + k < l->kernel_h && row >= 0 && row < l->height;
    rows[k] = inside ? from->image + row * l->width * l->channels : from->fill;
    steps[k] = inside ? l->channels : 0;
  }
  to += from->begin * WVV_PACKED_BYTES;
  if (plain && l->kernel_h - first <= 3) {
    wvv_mve_pack_three(to, rows, steps, from->count, from->lanes);
  } else {
    wvv_mve_pack_columns(to, rows, steps, from->count, from->lane, from->lanes);
  }
}

/* Sixteen outputs, or what is left of them, of all pixels of one image; gives where the next weights are. */
static const int32_t *sixteen(struct wvv_mve_depthwise *job, const struct wvv_mve_depthwise_layer *whole,
                              const struct source *from, const int32_t *weights, int8_t *y, int8_t *packed) {
  const struct wvv_layer *const l = &whole->window;
  const int32_t small = job->deep == 1 && job->across == 1, plain = whole->multiplier == 1;
  const int32_t words = job->deep * job->across * VECTOR + END_WORDS;
  for (int32_t oy = 0; oy < l->out_height; oy += l->groups) {
    job->rows = l->out_height - oy < l->groups ? l->out_height - oy : l->groups;
    int8_t *to = packed;
    for (int32_t row = 0; row < job->rows; ++row) {
      for (int32_t deep = 0; deep < job->deep; ++deep, to += job->deep_bytes) {
        pack_rows(to, from, (oy + row) * l->stride_h - l->top, FOUR * deep, l, plain);
      }
    }
    int8_t *const first = y + oy * l->out_width * l->outputs;
    for (int32_t o = 0; o < from->lanes; o += FOUR) {
      const int32_t *const w = weights + fours(o) * words;
      const int32_t lanes = from->lanes - o < FOUR ? from->lanes - o : FOUR;
      (small ? wvv_mve_depthwise_small : wvv_mve_depthwise_four)(job, packed + o * WVV_PACKED_ROWS, w, first + o,
                                                                 lanes);
    }
  }
  return weights + fours(from->lanes) * words;
}

void wvv_mve_depthwise(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch) {
  const struct wvv_mve_depthwise_layer *const whole = (const struct wvv_mve_depthwise_layer *)layer;
  const struct wvv_layer *const l = &whole->window;
  const int32_t span = (l->kernel_w - 1) * l->dilation_w + 1, columns = (l->out_width - 1) * l->stride_w + span;
  const int32_t deep = fours(l->kernel_h), deep_bytes = columns * WVV_PACKED_BYTES;
  const int32_t tap = l->dilation_w * WVV_PACKED_BYTES;
  int8_t *const fill = (int8_t *)scratch, *const packed = fill + VECTOR;
  struct wvv_mve_depthwise job = {
      0, l->out_width, deep * deep_bytes, l->stride_w * WVV_PACKED_BYTES, l->outputs, whole->output_zero_point,
      l->finish, deep, fours(l->kernel_w), deep_bytes,
      {0, (uint32_t)tap, 2 * (uint32_t)tap, 3 * (uint32_t)tap},
  };
  const int32_t begin = l->left < columns ? l->left : columns;
  const int32_t end = l->left + l->width < columns ? l->left + l->width : columns;
  struct source from = {x, fill, begin, end - begin, {0}, 0};
  /* Columns beside the image are never written again. */
  wvv_fill_bytes(fill, l->zero_point, VECTOR + (end - begin < columns ? l->groups * job.row_bytes : 0));
  for (int32_t n = 0; n < l->batch; ++n, x += l->height * l->width * l->channels) {
    const int32_t *w = weights;
    for (int32_t o = 0; o < l->outputs; o += WVV_PACKED_LANES) {
      const int32_t channel = o / whole->multiplier, part = o - channel * whole->multiplier;
      from.lanes = l->outputs - o < WVV_PACKED_LANES ? l->outputs - o : WVV_PACKED_LANES;
      for (int32_t lane = 0; lane < WVV_PACKED_LANES; ++lane) {
        from.lane[lane] = (uint8_t)((part + lane) / whole->multiplier);
      }
      from.image = x + channel;
      w = sixteen(&job, whole, &from, w, y + o, packed);
    }
    y += l->out_height * l->out_width * l->outputs;
  }
  if (l->low > INT8_MIN || l->high < INT8_MAX) {
    const int32_t bytes = l->batch * l->out_height * l->out_width * l->outputs;
    wvv_clamp_bytes(y - bytes, bytes, l->low, l->high);
  }
}
