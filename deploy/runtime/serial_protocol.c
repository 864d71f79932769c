/* See wvv_serial_protocol.h: bytes to lines, lines to commands. */
#include "wvv_serial_protocol.h"

#include <string.h>

#include "serial_commands.h"
#include "serial_text.h"
#include "wvv_serial_model.h"

#define FIRMWARE "ULPMark for tinyML Firmware V0.0.1" /* the version of the protocol that hosts expect */
#define READY "m-ready\r\n"

static void command_name(struct wvv_serial *serial, char *rest) {
  (void)rest;
  wvv_put_text(serial, "m-name-dut-[");
  wvv_put_text(serial, wvv_serial_model.board);
  wvv_put_text(serial, "]\r\n");
}

static void command_profile(struct wvv_serial *serial, char *rest) {
  (void)rest;
  wvv_put_text(serial, "m-profile-[" FIRMWARE "]\r\nm-model-[");
  wvv_put_text(serial, wvv_serial_model.task);
  wvv_put_text(serial, "]\r\nm-clock-[");
  wvv_put_text(serial, wvv_serial_model.clock);
  wvv_put_text(serial, "]\r\n");
}

static void command_reset(struct wvv_serial *serial, char *rest) {
  (void)rest;
  serial->device->reset();
}

static void command_help(struct wvv_serial *serial, char *rest);

static const struct command {
  const char *name;
  void (*obey)(struct wvv_serial *serial, char *rest);
  const char *help;
} commands[] = {
    {"name", command_name, "the board's name"},
    {"profile", command_profile, "versions, the model's name, where the time comes from"},
    {"timestamp", wvv_command_timestamp, "the time in microseconds"},
    {"help", command_help, "this list"},
    {"db", wvv_command_db, "load N: promise N bytes of input; HEX: give some; print: show them"},
    {"infer", wvv_command_infer, "N [W]: N inferences after W (10) to warm up"},
    {"results", wvv_command_results, "the last outputs as real numbers"},
    {"wvv-info", wvv_command_info, "what the firmware holds"},
    {"wvv-put", wvv_command_put, "OFFSET COUNT CRC: bytes into the inputs"},
    {"wvv-infer", wvv_command_infer_once, "CRC: one inference, if that is the inputs' CRC"},
    {"wvv-get", wvv_command_get, "OFFSET COUNT: bytes of the outputs"},
    {"wvv-stack", wvv_command_stack, "the most stack that was ever in use"},
    {"wvv-reset", command_reset, "start anew"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void command_help(struct wvv_serial *serial, char *rest) {
  (void)rest;
  wvv_put_text(serial, FIRMWARE "\r\n\r\n");
  for (uint32_t i = 0; i < COMMANDS; ++i) {
    wvv_put_text(serial, commands[i].name);
    wvv_put_text(serial, " : ");
    wvv_put_text(serial, commands[i].help);
    wvv_put_text(serial, "\r\n");
  }
}

static void obey(struct wvv_serial *serial) {
  char *rest = serial->line;
  const char *word = wvv_next_word(&rest);
  if (*word == 0) {
    return; /* an end alone, by which a host asks whether somebody is there */
  }
  for (uint32_t i = 0; i < COMMANDS; ++i) {
    if (strcmp(word, commands[i].name) == 0) {
      commands[i].obey(serial, rest);
      return;
    }
  }
  wvv_put_text(serial, "e-[Unknown command: ");
  wvv_put_foreign(serial, word);
  wvv_put_text(serial, "]\r\n");
}

void wvv_serial_open(struct wvv_serial *serial, const struct wvv_serial_device *device) {
  memset(serial, 0, sizeof *serial);
  serial->device = device;
  wvv_put_text(serial, "m-init-done\r\n" READY);
}

static void end_line(struct wvv_serial *serial) {
  if (serial->length > WVV_LINE_MOST) {
    wvv_put_text(serial, "e-[Command has more than 80 characters]\r\n");
  } else {
    serial->line[serial->length] = 0;
    obey(serial);
  }
  serial->length = 0;
  wvv_put_text(serial, READY);
}

void wvv_serial_feed(struct wvv_serial *serial, uint8_t byte) {
  if (serial->put_left > 0u) {
    if (wvv_put_byte(serial, byte)) {
      wvv_put_text(serial, READY);
    }
  } else if (byte == '%') {
    end_line(serial);
  } else if (byte != '\r' && byte != '\n' && serial->length <= WVV_LINE_MOST) {
    if (serial->length < WVV_LINE_MOST) {
      /* A 0 would hide what comes behind it. */
      serial->line[serial->length] = (char)(byte == 0u ? 1u : byte);
    }
    ++serial->length;
  }
}
