#include "wvv_mve_conv2d.h"

#include "wvv_mve_bytes.h"
#include "wvv_mve_gemm.h"

/* A window that leaves the image, or whose taps do not lie side by side. */
static void gather(int8_t *to, const struct wvv_place *at, const struct wvv_layer *l) {
  const int32_t channels = l->channels, run = l->kernel_w * channels, left = at->column * l->stride_w - l->left;
  const int32_t begin = left < 0 ? -left : 0;
  const int32_t end = left + l->kernel_w > l->width ? l->width - left : l->kernel_w;
  wvv_fill_bytes(to, l->zero_point, l->kernel_h * run);
  for (int32_t ky = 0, row = at->top; ky < l->kernel_h; ++ky, row += l->dilation_h, to += run) {
    if (row < 0 || row >= l->height) {
      continue;
    }
    const int32_t corner = row * l->width + left; /* may lie before the image; taps that are read do not */
    if (l->dilation_w == 1) {
      if (begin < end) {
        wvv_copy_bytes(to + begin * channels, at->image + (corner + begin) * channels, (end - begin) * channels);
      }
      continue;
    }
    for (int32_t kx = 0, column = left; kx < l->kernel_w; ++kx, column += l->dilation_w) {
      if (column >= 0 && column < l->width) {
        wvv_copy_bytes(to + kx * channels, at->image + (corner + kx * l->dilation_w) * channels, channels);
      }
    }
  }
}

/* The column of a window: `to`, or the image itself. */
static inline const int8_t *column(int8_t *to, const struct wvv_place *at, const struct wvv_layer *l,
                                   const struct wvv_inside *within) {
  const int8_t *from = at->image + at->offset;
  if (l->window_words == 0) {
    return from;
  }
  if (!wvv_is_inside(at, within) || l->dilation_h != 1 || l->dilation_w != 1) {
    gather(to, at, l);
    return to;
  }
  const int32_t run = l->kernel_w * l->channels, row_bytes = l->width * l->channels;
  int8_t *next = to;
  for (int32_t row = l->kernel_h; row; --row, next += run, from += row_bytes) {
    wvv_copy_bytes(next, from, run);
  }
  return to;
}

/* Windows that are pixels, one after the other. */
static void pixels(const struct wvv_mve_gemm *job, const int8_t *x, int32_t channels, int32_t left, int32_t copied,
                   int8_t *y, int8_t *last) {
  for (; left > 1; left -= 2, x += 2 * channels, y += 2 * job->outputs) {
    wvv_mve_gemm_pair(job, x, x + channels, y, y + job->outputs);
  }
  if (left != 0) {
    wvv_mve_gemm_one(job, x, y);
    x += channels;
    y += job->outputs;
  }
  for (; copied > 0; --copied, x += channels, y += job->outputs) {
    wvv_copy_bytes(last, x, channels);
    wvv_mve_gemm_one(job, last, y);
  }
}

void wvv_mve_conv2d(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch) {
  const struct wvv_mve_layer *const whole = (const struct wvv_mve_layer *)layer;
  const struct wvv_layer *const l = &whole->window;
  const struct wvv_inside within = wvv_inside_of(l, l->kernel_h - 1, l->kernel_w - 1);
  int8_t *const first = (int8_t *)scratch, *const second = (int8_t *)(scratch + l->window_words);
  const struct wvv_mve_gemm job = {
      weights,
      WVV_VECTOR * l->groups,
      (l->groups - 1) % WVV_MVE_UNROLLED + 1,
      l->outputs,
      whole->output_zero_point,
      l->finish,
      l->low,
      l->high,
  };
  int32_t left = l->batch * l->out_height * l->out_width - whole->copied;
  if (l->window_words == 0 && l->stride_h == 1 && l->stride_w == 1) {
    pixels(&job, x, l->channels, left, whole->copied, y, first);
    return;
  }
  struct wvv_place at = wvv_first_place(x, l, &within);
  for (; left > 1; left -= 2, y += 2 * l->outputs) {
    const int8_t *const x0 = column(first, &at, l, &within);
    wvv_advance(&at, l, &within);
    const int8_t *const x1 = column(second, &at, l, &within);
    wvv_advance(&at, l, &within);
    wvv_mve_gemm_pair(&job, x0, x1, y, y + l->outputs);
  }
  if (left != 0) {
    wvv_mve_gemm_one(&job, column(first, &at, l, &within), y);
    wvv_advance(&at, l, &within);
    y += l->outputs;
  }
  for (int32_t n = whole->copied; n > 0; --n, y += l->outputs) {
    wvv_copy_bytes(first, at.image + at.offset, l->channels);
    wvv_mve_gemm_one(&job, first, y);
    wvv_advance(&at, l, &within);
  }
}
