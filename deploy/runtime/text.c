/* Numbers as text without a library: digits are written from the last to the first. */
#include "wvv_text.h"

const char *wvv_decimal(char text[WVV_TEXT_BYTES], uint32_t value) {
  char *at = text + WVV_TEXT_BYTES - 1;
  *at = 0;
  do {
    *--at = (char)('0' + value % 10u);
    value /= 10u;
  } while (value != 0u);
  return at;
}

const char *wvv_hex(char text[WVV_TEXT_BYTES], uint32_t value) {
  text[0] = '0';
  text[1] = 'x';
  for (int digit = 9; digit >= 2; --digit) {
    text[digit] = "0123456789abcdef"[value & 15u];
    value >>= 4;
  }
  text[10] = 0;
  return text;
}
