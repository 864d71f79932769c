/* Our own commands: every byte of every tensor, with a CRC on each line, so that a host can repeat what was lost. */
#include <string.h>

#include "serial_commands.h"
#include "serial_text.h"
#include "wvv_model.h"
#include "wvv_serial_model.h"

#define BYTES_A_LINE 28u /* with offset and CRC the longest that 80 characters hold */
#define OFFSET_DIGITS 6u
#define CRC_DIGITS 8u

static uint32_t total(const uint32_t *bytes, uint32_t count) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    sum += bytes[i];
  }
  return sum;
}

static uint8_t *byte_of(void *const *tensors, const uint32_t *bytes, uint32_t offset) {
  for (; offset >= *bytes; ++bytes, ++tensors) {
    offset -= *bytes;
  }
  return (uint8_t *)*tensors + offset;
}

uint32_t wvv_input_bytes(void) { return total(wvv_model.input_bytes, wvv_model.input_count); }

uint32_t wvv_output_bytes(void) { return total(wvv_model.output_bytes, wvv_model.output_count); }

uint8_t *wvv_input_byte(uint32_t offset) { return byte_of(wvv_model.inputs, wvv_model.input_bytes, offset); }

static uint8_t *output_byte(uint32_t offset) { return byte_of(wvv_model.outputs, wvv_model.output_bytes, offset); }

static uint32_t crc_of_all(void *const *tensors, const uint32_t *bytes, uint32_t count) {
  uint32_t crc = WVV_CRC_START;
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t j = 0; j < bytes[i]; ++j) {
      crc = wvv_crc(crc, ((const uint8_t *)tensors[i])[j]);
    }
  }
  return ~crc;
}

static uint32_t crc_of_offset(uint32_t offset) {
  uint32_t crc = wvv_crc(WVV_CRC_START, (uint8_t)(offset >> 16));
  crc = wvv_crc(crc, (uint8_t)(offset >> 8));
  return wvv_crc(crc, (uint8_t)offset);
}

void wvv_command_info(struct wvv_serial *serial, char *rest) {
  (void)rest;
  wvv_put_text(serial, "m-wvv-info-[1,");
  wvv_put_text(serial, wvv_serial_model.id);
  wvv_put_text(serial, ",");
  wvv_put_decimal(serial, wvv_input_bytes());
  wvv_put_figure(serial, ",", wvv_output_bytes());
  wvv_put_text(serial, "m-wvv-clock-[");
  wvv_put_text(serial, wvv_serial_model.clock);
  wvv_put_text(serial, "]\r\n");
}

void wvv_command_put(struct wvv_serial *serial, char *rest) {
  uint32_t offset, count, crc;
  if (!wvv_read_hex(wvv_next_word(&rest), OFFSET_DIGITS, &offset) ||
      !wvv_read_hex(wvv_next_word(&rest), OFFSET_DIGITS, &count) ||
      !wvv_read_hex(wvv_next_word(&rest), CRC_DIGITS, &crc) || count == 0u) {
    wvv_put_text(serial, "e-[Command 'wvv-put' needs OFFSET, COUNT and CRC]\r\n");
  } else if (offset >= wvv_input_bytes() || count > wvv_input_bytes() - offset) {
    wvv_put_figure(serial, "e-[Behind the input's last byte of ", wvv_input_bytes());
  } else {
    serial->db_loaded = 0; /* what `db` gave is no longer whole */
    serial->put_left = count;
    serial->put_offset = offset;
    serial->put_crc = crc_of_offset(offset);
    serial->put_wanted = crc;
    wvv_put_text(serial, "m-[Expecting ");
    wvv_put_decimal(serial, count);
    wvv_put_text(serial, " bytes]\r\n");
  }
}

bool wvv_put_byte(struct wvv_serial *serial, uint8_t byte) {
  *wvv_input_byte(serial->put_offset++) = byte;
  serial->put_crc = wvv_crc(serial->put_crc, byte);
  --serial->put_left;
  if (serial->put_left == 0u && ~serial->put_crc != serial->put_wanted) {
    wvv_put_text(serial, "e-[CRC differs]\r\n");
  }
  return serial->put_left == 0u;
}

void wvv_command_infer_once(struct wvv_serial *serial, char *rest) {
  uint32_t crc;
  int32_t status;
  if (!wvv_read_hex(wvv_next_word(&rest), CRC_DIGITS, &crc)) {
    wvv_put_text(serial, "e-[Command 'wvv-infer' needs the inputs' CRC]\r\n");
    return;
  }
  if (crc_of_all(wvv_model.inputs, wvv_model.input_bytes, wvv_model.input_count) != crc) {
    wvv_put_text(serial, "e-[Inputs differ]\r\n");
    return;
  }
  const uint32_t ticks = serial->device->ticks(&status);
  if (status != 0) {
    wvv_put_text(serial, "e-[The model's run function reported a failure]\r\n");
    return;
  }
  serial->has_outputs = true;
  wvv_put_text(serial, "m-wvv-ran-[");
  wvv_put_hex(serial, crc_of_all(wvv_model.outputs, wvv_model.output_bytes, wvv_model.output_count), CRC_DIGITS);
  wvv_put_figure(serial, ",", ticks);
}

static void put_line(const struct wvv_serial *serial, uint32_t offset, uint32_t count) {
  uint32_t crc = crc_of_offset(offset);
  wvv_put_text(serial, "m-wvv-");
  wvv_put_hex(serial, offset, OFFSET_DIGITS);
  wvv_put_text(serial, "-");
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t byte = *output_byte(offset + i);
    crc = wvv_crc(crc, byte);
    wvv_put_hex(serial, byte, 2u);
  }
  wvv_put_text(serial, "-");
  wvv_put_hex(serial, ~crc, CRC_DIGITS);
  wvv_put_text(serial, "\r\n");
}

void wvv_command_get(struct wvv_serial *serial, char *rest) {
  uint32_t offset, count;
  if (!wvv_read_hex(wvv_next_word(&rest), OFFSET_DIGITS, &offset) ||
      !wvv_read_hex(wvv_next_word(&rest), OFFSET_DIGITS, &count)) {
    wvv_put_text(serial, "e-[Command 'wvv-get' needs OFFSET and COUNT]\r\n");
  } else if (offset > wvv_output_bytes() || count > wvv_output_bytes() - offset) {
    wvv_put_figure(serial, "e-[Behind the output's last byte of ", wvv_output_bytes());
  } else {
    for (; count > 0u; offset += BYTES_A_LINE) {
      const uint32_t here = count < BYTES_A_LINE ? count : BYTES_A_LINE;
      put_line(serial, offset, here);
      count -= here;
    }
  }
}

void wvv_command_stack(struct wvv_serial *serial, char *rest) {
  (void)rest;
  wvv_put_figure(serial, "m-wvv-stack-[", serial->device->stack_bytes());
}
