/* See serial_text.h.  No printf: it would bring in a heap. */
#include "serial_text.h"

#include <string.h>

static void put(const struct wvv_serial *serial, char character) { serial->device->put(character); }

void wvv_put_text(const struct wvv_serial *serial, const char *text) {
  while (*text != 0) {
    put(serial, *text++);
  }
}

void wvv_put_foreign(const struct wvv_serial *serial, const char *text) {
  for (; *text != 0; ++text) {
    put(serial, *text >= ' ' && *text <= '~' ? *text : '?');
  }
}

void wvv_put_decimal(const struct wvv_serial *serial, uint64_t value) {
  char text[21]; /* twenty digits of 2^64 - 1 and the final 0 */
  char *at = text + sizeof text - 1;
  *at = 0;
  do {
    *--at = (char)('0' + (char)(value % 10u));
    value /= 10u;
  } while (value != 0u);
  wvv_put_text(serial, at);
}

void wvv_put_hex(const struct wvv_serial *serial, uint32_t value, uint32_t digits) {
  while (digits-- > 0u) {
    put(serial, "0123456789abcdef"[value >> (4u * digits) & 15u]);
  }
}

void wvv_put_real(const struct wvv_serial *serial, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (bits >> 31 != 0u) {
    put(serial, '-');
    value = -value;
  }
  if ((bits & 0x7f800000u) == 0x7f800000u) {
    wvv_put_text(serial, (bits & 0x007fffffu) != 0u ? "nan" : "inf");
    return;
  }
  /* Exact, because 24 bits times 10 bits fit into the 53 of a double; so is the rest. */
  const double thousandths = (double)value * 1000.0;
  uint64_t whole = thousandths < 18446744073709551616.0 ? (uint64_t)thousandths : UINT64_MAX;
  const double rest = thousandths - (double)whole;
  if (whole != UINT64_MAX && (rest > 0.5 || (rest == 0.5 && (whole & 1u) != 0u))) {
    ++whole;
  }
  wvv_put_decimal(serial, whole / 1000u);
  put(serial, '.');
  for (uint32_t unit = 100u; unit != 0u; unit /= 10u) {
    put(serial, (char)('0' + (char)(whole / unit % 10u)));
  }
}

void wvv_put_figure(const struct wvv_serial *serial, const char *text, uint64_t value) {
  wvv_put_text(serial, text);
  wvv_put_decimal(serial, value);
  wvv_put_text(serial, "]\r\n");
}

char *wvv_next_word(char **at) {
  char *word = *at;
  while (*word == ' ') {
    ++word;
  }
  char *end = word;
  while (*end != 0 && *end != ' ') {
    ++end;
  }
  *at = end + (*end != 0);
  *end = 0;
  return word;
}

bool wvv_read_decimal(const char *word, uint32_t *value) {
  uint32_t digits = 0;
  *value = 0;
  for (; word[digits] >= '0' && word[digits] <= '9' && digits <= 9u; ++digits) {
    *value = *value * 10u + (uint32_t)(word[digits] - '0');
  }
  return digits >= 1u && digits <= 9u && word[digits] == 0;
}

bool wvv_read_hex(const char *word, uint32_t digits, uint32_t *value) {
  *value = 0;
  for (uint32_t i = 0; i < digits; ++i) {
    const uint32_t digit = wvv_hex_digit(word[i]);
    if (digit > 15u) {
      return false; /* the final 0 is no digit, so nothing behind it is read */
    }
    *value = *value << 4 | digit;
  }
  return word[digits] == 0;
}

uint32_t wvv_hex_digit(char character) {
  if (character >= '0' && character <= '9') {
    return (uint32_t)(character - '0');
  }
  const char lower = (char)(character | 0x20);
  return lower >= 'a' && lower <= 'f' ? (uint32_t)(lower - 'a') + 10u : 16u;
}

/* Four bits at a time: a table of 256 words would be a kilobyte of flash. */
uint32_t wvv_crc(uint32_t crc, uint8_t byte) {
  static const uint32_t table[16] = {
      0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
      0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
  };
  crc = crc >> 4 ^ table[(crc ^ byte) & 15u];
  return crc >> 4 ^ table[(crc ^ (uint32_t)byte >> 4) & 15u];
}
