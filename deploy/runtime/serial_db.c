/* `db`: the bytes of one example, as MLPerf Tiny's host sends them.
 *
 * They go to where the model reads them, in its own form, so no second buffer is needed; only real numbers wait in
 * one until all have come.  A line with a mistake changes nothing, so a host may send it again.
 */
#include <string.h>

#include "serial_commands.h"
#include "serial_text.h"
#include "wvv_model.h"
#include "wvv_serial_model.h"

#define PRINTED_A_LINE 8u

/* What makes a pixel an int8 number, and back. */
static uint8_t turned(uint8_t byte) { return wvv_serial_model.db == WVV_DB_PIXELS ? byte ^ 0x80u : byte; }

static uint32_t room(void) {
  return wvv_serial_model.db == WVV_DB_FLOATS ? wvv_serial_model.inputs[0].count * (uint32_t)sizeof(float)
                                              : wvv_input_bytes();
}

static uint8_t *place(uint32_t offset) {
  return wvv_serial_model.db == WVV_DB_FLOATS ? (uint8_t *)wvv_serial_model.floats + offset : wvv_input_byte(offset);
}

/* The nearest int8 code, a half away from 0, as TFLite's QUANTIZE has it. */
static int8_t quantized(float value, const struct wvv_tensor *tensor) {
  const float steps = value / tensor->scale;
  if (!(steps > -512.0f)) {
    return -128; /* what is no number too */
  }
  int32_t code = steps < 512.0f ? (int32_t)steps : 512;
  const float rest = steps - (float)code;
  code += tensor->zero_point + (rest >= 0.5f) - (rest <= -0.5f);
  return (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
}

static void finish(struct wvv_serial *serial) {
  if (wvv_serial_model.db == WVV_DB_FLOATS && serial->db_loaded == room()) {
    for (uint32_t i = 0; i < wvv_serial_model.inputs[0].count; ++i) {
      *wvv_input_byte(i) = (uint8_t)quantized(wvv_serial_model.floats[i], wvv_serial_model.inputs);
    }
  }
  wvv_put_text(serial, "m-load-done\r\n");
}

static void load(struct wvv_serial *serial, char *rest) {
  const char *word = wvv_next_word(&rest);
  uint32_t count;
  if (*word == 0) {
    wvv_put_text(serial, "e-[Command 'db load' requires the # of bytes]\r\n");
  } else if (!wvv_read_decimal(word, &count) || count == 0u) {
    wvv_put_text(serial, "e-[Command 'db load' must be >0 bytes]\r\n");
  } else if (count > room()) {
    wvv_put_figure(serial, "e-[Supplied buffer size exceeds maximum of ", room());
  } else {
    serial->db_expected = count;
    serial->db_loaded = 0;
    wvv_put_text(serial, "m-[Expecting ");
    wvv_put_decimal(serial, count);
    wvv_put_text(serial, " bytes]\r\n");
  }
}

static void print(const struct wvv_serial *serial) {
  for (uint32_t i = 0; i < serial->db_loaded; ++i) {
    wvv_put_text(serial, i % PRINTED_A_LINE == 0u ? "m-buffer-" : "-");
    wvv_put_hex(serial, turned(*place(i)), 2u);
    if (i % PRINTED_A_LINE == PRINTED_A_LINE - 1u || i + 1u == serial->db_loaded) {
      wvv_put_text(serial, "\r\n");
    }
  }
}

static const char *mistake(const struct wvv_serial *serial, const char *hex) {
  const size_t digits = strlen(hex);
  for (size_t i = 0; i < digits; ++i) {
    if (wvv_hex_digit(hex[i]) > 15u) {
      return "e-[Invalid hex digit]\r\n";
    }
  }
  if (digits % 2u != 0u) {
    return "e-[Insufficent number of hex digits]\r\n"; /* spelled as the standard spells it */
  }
  if (serial->db_expected == 0u) {
    return "e-[Command 'db load' must come first]\r\n";
  }
  return digits / 2u > serial->db_expected - serial->db_loaded ? "e-[More bytes than 'db load' promised]\r\n" : NULL;
}

static void take(struct wvv_serial *serial, const char *hex) {
  const char *problem = mistake(serial, hex);
  if (problem != NULL) {
    wvv_put_text(serial, problem);
    return;
  }
  for (; *hex != 0; hex += 2) {
    const uint32_t byte = wvv_hex_digit(hex[0]) << 4 | wvv_hex_digit(hex[1]);
    *place(serial->db_loaded++) = turned((uint8_t)byte);
  }
  if (serial->db_loaded == serial->db_expected) {
    finish(serial);
  }
}

void wvv_command_db(struct wvv_serial *serial, char *rest) {
  const char *word = wvv_next_word(&rest);
  if (*word == 0) {
    wvv_put_text(serial, "e-[Command 'db' requires a subcommand]\r\n");
  } else if (strcmp(word, "load") == 0) {
    load(serial, rest);
  } else if (strcmp(word, "print") == 0) {
    print(serial);
  } else {
    take(serial, word);
  }
}

bool wvv_db_complete(const struct wvv_serial *serial) {
  if (serial->db_loaded == room()) {
    return true;
  }
  wvv_put_text(serial, "e-[Input db has ");
  wvv_put_decimal(serial, serial->db_loaded);
  wvv_put_figure(serial, " bytes, expected ", room());
  return false;
}
