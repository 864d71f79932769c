/* A QEMU plugin that counts how often each block of the guest's code runs, between two functions of the guest.
 *
 * Takes:   start=ADDRESS and stop=ADDRESS, the entries of two functions, skip=ADDRESS, a block that is not counted
 *          (an interrupt, which comes at any time here), and out=FILE.
 * Gives:   `block ADDRESS CODE` (hexadecimal) for each block when QEMU translates it, numbered from 0 in this order;
 *          each time that `stop` is entered `span`, then `NUMBER COUNT FELL` for the blocks that ran since `start` was
 *          entered last.  FELL says how often the code behind the block ran next: its last branch was not taken.
 * Refuses: a file that it cannot open; QEMU ends then.
 *
 * A block ends with its first branch, so a function's entry always begins one.  One processor is counted, the first.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* What is used of QEMU's plugin interface (docs/devel/tcg-plugins.rst): the header is rarely installed with it. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*block_translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*block_executed)(unsigned int cpu, void *data);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, block_translated callback);
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *tb, block_executed callback, enum qemu_plugin_cb_flags flags, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

struct block {
  uint64_t address;
  uint64_t behind; /* where the code goes on if the last branch is not taken */
  uint64_t count;
  uint64_t fell;
  struct block *next;
};

static uint64_t start, stop, skip;
static FILE *out;
static struct block *first, **end = &first, *last_run;

static void forget_counts(void) {
  for (struct block *block = first; block != NULL; block = block->next) {
    block->count = block->fell = 0;
  }
}

static void write_span(void) {
  fputs("span\n", out);
  size_t number = 0;
  for (const struct block *block = first; block != NULL; block = block->next, ++number) {
    if (block->count != 0) {
      fprintf(out, "%zu %" PRIu64 " %" PRIu64 "\n", number, block->count, block->fell);
    }
  }
  fflush(out); /* the guest may end QEMU at any time */
}

/* A callback rather than QEMU's inline counter, which cannot see which block ran before. */
static void on_run(unsigned int cpu, void *data) {
  struct block *block = data;
  if (cpu != 0 || block->address == skip) {
    return;
  }
  if (last_run != NULL && last_run->behind == block->address) {
    ++last_run->fell;
  }
  if (block->address == start) {
    forget_counts();
  } else if (block->address == stop) {
    write_span();
  }
  ++block->count;
  last_run = block;
}

/* A Thumb instruction's bytes (Armv7-M A5.1).  qemu_plugin_insn_size is not used: at the end of a page QEMU looks one
 * halfword ahead, and 7.2 counts that as a part of the instruction. */
static size_t thumb_bytes(const uint8_t *instruction) { return instruction[1] >> 3 >= 0x1d ? 4 : 2; }

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  struct block *block = calloc(1, sizeof *block);
  if (block == NULL) {
    abort();
  }
  block->address = block->behind = qemu_plugin_tb_vaddr(tb);
  fprintf(out, "block %" PRIx64 " ", block->address);
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); ++i) {
    const uint8_t *bytes = qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i));
    const size_t size = thumb_bytes(bytes);
    for (size_t k = 0; k < size; ++k) {
      fprintf(out, "%02x", bytes[k]);
    }
    block->behind += size;
  }
  fputs("\n", out);
  *end = block;
  end = &block->next;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, on_run, QEMU_PLUGIN_CB_NO_REGS, block);
}

/* The text behind `name=`, or an empty one. */
static const char *argument(const char *name, int argc, char **argv) {
  const size_t length = strlen(name);
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') {
      return argv[i] + length + 1;
    }
  }
  return "";
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
  (void)info;
  start = strtoull(argument("start", argc, argv), NULL, 0);
  stop = strtoull(argument("stop", argc, argv), NULL, 0);
  skip = strtoull(argument("skip", argc, argv), NULL, 0);
  out = fopen(argument("out", argc, argv), "w");
  if (out == NULL) {
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  return 0;
}
