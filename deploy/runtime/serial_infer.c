/* `infer`, `results` and `timestamp`, as MLPerf Tiny's rules have them. */
#include <string.h>

#include "serial_commands.h"
#include "serial_text.h"
#include "wvv_model.h"
#include "wvv_serial_model.h"

#define WARM_UP 10u
#define INFERENCES_MOST 1000000u /* a slip of the finger must not take the device away for days */

void wvv_command_timestamp(struct wvv_serial *serial, char *rest) {
  (void)rest;
  uint64_t now;
  if (!serial->device->microseconds(&now)) {
    wvv_put_text(serial, "e-[No clock, or it ran over]\r\n");
    return;
  }
  wvv_put_text(serial, "m-lap-us-");
  wvv_put_decimal(serial, now);
  wvv_put_text(serial, "\r\n");
}

static bool repeat(struct wvv_serial *serial, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    int32_t status;
    (void)serial->device->ticks(&status);
    if (status != 0) {
      wvv_put_text(serial, "e-[The model's run function reported a failure]\r\n");
      return false;
    }
  }
  return true;
}

static void put_count(const struct wvv_serial *serial, const char *text, uint32_t count) {
  wvv_put_text(serial, text);
  wvv_put_decimal(serial, count);
  wvv_put_text(serial, "\r\n");
}

static void infer(struct wvv_serial *serial, uint32_t count, uint32_t warm_up) {
  put_count(serial, "m-warmup-start-", warm_up);
  if (!repeat(serial, warm_up)) {
    return;
  }
  wvv_put_text(serial, "m-warmup-done\r\n");
  put_count(serial, "m-infer-start-", count);
  wvv_command_timestamp(serial, NULL);
  if (!repeat(serial, count)) {
    return;
  }
  wvv_command_timestamp(serial, NULL);
  wvv_put_text(serial, "m-infer-done\r\n");
  serial->has_outputs = true;
  wvv_command_results(serial, NULL);
}

void wvv_command_infer(struct wvv_serial *serial, char *rest) {
  uint32_t count = 1u, warm_up = WARM_UP;
  const char *first = wvv_next_word(&rest), *second = wvv_next_word(&rest);
  if (*first != 0 && (!wvv_read_decimal(first, &count) || count == 0u)) {
    wvv_put_text(serial, "e-[Inference iterations must be >0]\r\n");
  } else if (*second != 0 && !wvv_read_decimal(second, &warm_up)) {
    wvv_put_text(serial, "e-[Inference warmup must be >=0]\r\n");
  } else if (count > INFERENCES_MOST || warm_up > INFERENCES_MOST) {
    wvv_put_figure(serial, "e-[Inference iterations must be <=", INFERENCES_MOST);
  } else if (wvv_db_complete(serial)) {
    infer(serial, count, warm_up);
  }
}

static float number(const void *values, const struct wvv_tensor *tensor, uint32_t i) {
  const uint8_t *at = values;
  int32_t code = 0;
  int16_t half;
  float real;
  switch (tensor->type) {
    case WVV_FLOAT32:
      memcpy(&real, at + sizeof real * i, sizeof real);
      return real;
    case WVV_INT8:
      code = (int8_t)at[i];
      break;
    case WVV_UINT8:
      code = at[i];
      break;
    case WVV_INT16:
      memcpy(&half, at + sizeof half * i, sizeof half);
      code = half;
      break;
    case WVV_INT32:
      memcpy(&code, at + sizeof code * i, sizeof code);
      break;
  }
  return (float)((int64_t)code - tensor->zero_point) * tensor->scale;
}

/* The real numbers that went in; a network that quantizes them itself has them as its input. */
static float given(uint32_t i) {
  return wvv_serial_model.floats != NULL ? wvv_serial_model.floats[i]
                                         : number(wvv_model.inputs[0], wvv_serial_model.inputs, i);
}

static float distance(void) {
  const uint32_t count = wvv_serial_model.outputs[0].count;
  float sum = 0.0f;
  for (uint32_t i = 0; i < count; ++i) {
    const float apart = number(wvv_model.outputs[0], wvv_serial_model.outputs, i) - given(i);
    sum += apart * apart;
  }
  return sum / (float)count;
}

void wvv_command_results(struct wvv_serial *serial, char *rest) {
  (void)rest;
  if (!serial->has_outputs) {
    wvv_put_text(serial, "e-[No results before the first inference]\r\n");
    return;
  }
  wvv_put_text(serial, "m-results-[");
  if (wvv_serial_model.distance) {
    wvv_put_real(serial, distance());
  } else {
    bool first = true;
    for (uint32_t t = 0; t < wvv_model.output_count; ++t) {
      const struct wvv_tensor *tensor = &wvv_serial_model.outputs[t];
      for (uint32_t i = 0; i < tensor->count; ++i, first = false) {
        wvv_put_text(serial, first ? "" : ",");
        wvv_put_real(serial, number(wvv_model.outputs[t], tensor, i));
      }
    }
  }
  wvv_put_text(serial, "]\r\n");
}
