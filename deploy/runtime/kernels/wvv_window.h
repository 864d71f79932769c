/* Where the windows of a convolution lie on an int8 image, NHWC, and what they hold where they leave it. */
#ifndef WVV_WINDOW_H_
#define WVV_WINDOW_H_

#include <stdbool.h>
#include <stdint.h>

/* A layer with a window as int32 numbers, in this order. */
struct wvv_layer {
  int32_t batch, height, width, channels;
  int32_t out_height, out_width, outputs;
  int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
  int32_t zero_point, finish, low, high;
  int32_t groups;       /* conv2d: of four taps in a column; depthwise: whether rows go through a ring */
  int32_t window_words; /* of scratch for one window, where some leave the image or are dilated; else 0 */
};

/* Which windows lie on the image: by the row of their first tap, and by their place in a row of the output. */
struct wvv_inside {
  int32_t lowest, first, count;
};

/* `span_h` and `span_w` are the rows and columns from the first tap to the last. */
static inline struct wvv_inside wvv_inside_of(const struct wvv_layer *l, int32_t span_h, int32_t span_w) {
  const int32_t first = (l->left + l->stride_w - 1) / l->stride_w, rightmost = l->width - 1 - span_w + l->left;
  const int32_t count = rightmost < 0 ? 0 : rightmost / l->stride_w - first + 1;
  const struct wvv_inside within = {l->height - 1 - span_h, first, count < 0 ? 0 : count};
  return within;
}

/* Where a window lies: the row of its first tap on the image, its column of the output, and how far its first tap is
 * from the image's. */
struct wvv_place {
  const int8_t *image;
  int32_t top, column, offset;
  bool row_inside;
};

static inline void wvv_begin_row(struct wvv_place *at, int32_t top, const struct wvv_layer *l,
                                 const struct wvv_inside *within) {
  at->top = top;
  at->column = 0;
  at->offset = (top * l->width - l->left) * l->channels;
  at->row_inside = top >= 0 && top <= within->lowest;
}

static inline struct wvv_place wvv_first_place(const int8_t *image, const struct wvv_layer *l,
                                               const struct wvv_inside *within) {
  struct wvv_place at = {image, 0, 0, 0, false};
  wvv_begin_row(&at, -l->top, l, within);
  return at;
}

static inline void wvv_advance(struct wvv_place *at, const struct wvv_layer *l, const struct wvv_inside *within) {
  at->offset += l->stride_w * l->channels;
  if (++at->column < l->out_width) {
    return;
  }
  int32_t top = at->top + l->stride_h;
  if (top == l->out_height * l->stride_h - l->top) {
    top = -l->top;
    at->image += l->height * l->width * l->channels;
  }
  wvv_begin_row(at, top, l, within);
}

static inline bool wvv_is_inside(const struct wvv_place *at, const struct wvv_inside *within) {
  return at->row_inside && (uint32_t)(at->column - within->first) < (uint32_t)within->count;
}

/* Copies a window that leaves the image, or whose taps do not lie side by side, into rows without gaps. */
void wvv_gather(int8_t *to, const struct wvv_place *at, const struct wvv_layer *l);

#endif
