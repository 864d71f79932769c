/* Words, numbers and bytes of the serial protocol, in both directions. */
#ifndef WVV_SERIAL_TEXT_H
#define WVV_SERIAL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "wvv_serial_protocol.h"

void wvv_put_text(const struct wvv_serial *serial, const char *text);

/* Of a stranger: whatever is no printable ASCII shows as a question mark. */
void wvv_put_foreign(const struct wvv_serial *serial, const char *text);

void wvv_put_decimal(const struct wvv_serial *serial, uint64_t value);

/* The `digits` lowest hexadecimal digits. */
void wvv_put_hex(const struct wvv_serial *serial, uint32_t value, uint32_t digits);

/* As printf's %0.3f; from 1.8e16 on the digits of the greatest number that fits stand for all. */
void wvv_put_real(const struct wvv_serial *serial, float value);

/* Text, then decimal, then "]" and the line's end. */
void wvv_put_figure(const struct wvv_serial *serial, const char *text, uint64_t value);

/* The next word of a line, ended by a 0 in place; `at` moves behind it.  An empty word at the end. */
char *wvv_next_word(char **at);

/* A whole word of at most 9 decimal digits, or of exactly `digits` hexadecimal ones (8 at most). */
bool wvv_read_decimal(const char *word, uint32_t *value);
bool wvv_read_hex(const char *word, uint32_t digits, uint32_t *value);

/* 0 to 15, or above 15 for what is no hexadecimal digit. */
uint32_t wvv_hex_digit(char character);

/* CRC-32 of what came before and one byte more; starts with WVV_CRC_START and ends with a bitwise not. */
#define WVV_CRC_START 0xffffffffu
uint32_t wvv_crc(uint32_t crc, uint8_t byte);

#endif
