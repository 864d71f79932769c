#include "wvv_pool.h"

static int32_t greater(int32_t a, int32_t b) { return a > b ? a : b; }
static int32_t lesser(int32_t a, int32_t b) { return a < b ? a : b; }

static struct wvv_pool_end end_of(const struct wvv_pool_layer *whole) {
  const struct wvv_pool_end end = {
      whole->way, 0, -whole->offset, 0, whole->mantissa, whole->right, whole->output_zero_point,
      whole->window.low, whole->window.high,
  };
  return end;
}

static void set_count(struct wvv_pool_end *end, int32_t count) {
  end->even = (count & 1) - 1;
  end->addend = (count >> 1) + 128 * count + (count == 1);
  end->factor = UINT32_MAX / (uint32_t)count + (count > 1);
}

void wvv_pool(const int8_t *x, const int32_t *layer, int8_t *y) {
  const struct wvv_pool_layer *const whole = (const struct wvv_pool_layer *)layer;
  const struct wvv_layer *const l = &whole->window;
  struct wvv_pool_end end = end_of(whole);
  int32_t counted = 0;
  for (int32_t n = 0; n < l->batch; ++n, x += l->height * l->width * l->channels) {
    for (int32_t oy = 0, top = -l->top; oy < l->out_height; ++oy, top += l->stride_h) {
      const int32_t first = greater(top, 0), rows = lesser(top + l->kernel_h, l->height) - first;
      for (int32_t ox = 0, left = -l->left; ox < l->out_width; ++ox, left += l->stride_w, y += l->outputs) {
        const int32_t begin = greater(left, 0), columns = lesser(left + l->kernel_w, l->width) - begin;
        struct wvv_part part = {rows, columns, l->width * l->channels, l->channels};
        if (columns == l->width) {
          part.columns *= rows;
          part.rows = 1;
        }
        const int8_t *const from = x + (first * l->width + begin) * l->channels;
        if (whole->way == WVV_POOL_GREATEST) {
          wvv_pool_greatest(&part, from, l->channels, l->low, l->high, y);
          continue;
        }
        if (whole->way == WVV_POOL_AVERAGE && rows * columns != counted) {
          counted = rows * columns;
          set_count(&end, counted);
        }
        wvv_pool_average(&part, from, l->channels, &end, y);
      }
    }
  }
}
