/* What the serial protocol knows of a compiled model besides wvv_model.h.
 *
 * The host writes `wvv_serial_model.c` (tvm_wvv/micro/serial_model.py), which defines `wvv_serial_model`.
 */
#ifndef WVV_SERIAL_MODEL_H
#define WVV_SERIAL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum wvv_type { WVV_INT8, WVV_UINT8, WVV_INT16, WVV_INT32, WVV_FLOAT32 };

/* One input or output; a number q stands for (q - zero_point) * scale, or for itself where it is a float. */
struct wvv_tensor {
  enum wvv_type type;
  uint32_t count;
  float scale;
  int32_t zero_point;
};

/* What the bytes of `db` are, as MLPerf Tiny's reference submissions take them for each task. */
enum wvv_db {
  WVV_DB_RAW,    /* the inputs as they are (kws01, and any other model) */
  WVV_DB_PIXELS, /* unsigned pixels, each 128 more than the int8 input (ic01, vww01) */
  WVV_DB_FLOATS  /* real numbers, which the device quantizes (ad01) */
};

struct wvv_serial_model {
  const char *id;    /* of the model's C text: by it a host knows the firmware that it wants */
  const char *task;  /* MLPerf Tiny's word for the model, or the model's own name; at most 32 characters */
  const char *board; /* at most 32 characters */
  const char *clock; /* where `timestamp%` comes from; at most 48 characters */
  const struct wvv_tensor *inputs;
  const struct wvv_tensor *outputs;
  enum wvv_db db;
  float *floats;  /* WVV_DB_FLOATS: room for the numbers of the only input */
  bool distance;  /* the result is the mean square of the output's distance from the input (ad01) */
};

extern const struct wvv_serial_model wvv_serial_model;

#endif
