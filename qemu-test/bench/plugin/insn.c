// SPDX-License-Identifier: GPL-2.0
/*
 * A TCG plugin that counts a guest's instructions (x86-64) between two markers.
 *
 *	-plugin file=insn.so,out=FILE,syms=KALLSYMS[,hist=FOLDER]
 *
 * A marker is `nopl DISP32(%rax,%rax,1)` in a guest's program (in_guest/opbench.c): MARK_BEGIN; MARK_END with
 * rdi = name, rsi = number of operations. At the end one line goes to FILE, its columns named by the
 * first line.
 *
 * An instruction counts by where it is (user, kernel text, modules) and by what the processor was
 * at: `task` (processes and kernel threads), `irq` (device interrupts and the softirqs at their
 * end), `idle` (do_idle up to schedule_idle) and `tick` (the timer's interrupt). Ticks and idle
 * passes follow real time, not the work done, so they stand apart.
 *
 * The borders are functions looked up in KALLSYMS, a /proc/kallsyms of the same kernel booted with
 * nokaslr. hist=: see hist.h; the file is named as the line. Slow, but only between the markers.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "hist.h"
#include "plugin-api.h"

#define MARK_BEGIN 0x52494e01u
#define MARK_END 0x52494e02u
#define MAX_VCPUS 64

enum place { USER, KERNEL, MODULE, NR_PLACES };
/* Executions of the first instruction of a function. Those up to E_UNIDLE change the context. */
enum event {
	E_IRQ, E_TICK, E_IPI, E_EXIT, E_IDLE, E_UNIDLE,
	E_SWITCH, E_WAKE, E_KICK, E_SYSCALL, E_FAULT, NR_EVENTS
};

static struct trigger {
	const char *name;
	enum event event;
	uint64_t address;
} triggers[] = {
	{ "asm_common_interrupt", E_IRQ },
	{ "asm_sysvec_apic_timer_interrupt", E_TICK },
	{ "asm_sysvec_reschedule_ipi", E_IPI },
	{ "asm_sysvec_call_function", E_IPI },
	{ "asm_sysvec_call_function_single", E_IPI },
	{ "asm_sysvec_irq_work", E_IPI },
	{ "irqentry_exit", E_EXIT },
	{ "do_idle", E_IDLE },
	{ "schedule_idle", E_UNIDLE },
	{ "__switch_to_asm", E_SWITCH },
	{ "try_to_wake_up", E_WAKE },
	{ "vp_notify", E_KICK },
	{ "entry_SYSCALL_64", E_SYSCALL },
	{ "asm_exc_page_fault", E_FAULT },
};
#define NR_TRIGGERS (sizeof(triggers) / sizeof(*triggers))

/* What translated code adds to by itself, one for each vCPU. */
struct counter {
	uint64_t insns[NR_PLACES], hist_on;
};
static struct qemu_plugin_scoreboard *counters;

struct totals {
	uint64_t insns[NR_CONTEXTS][NR_PLACES], events[NR_EVENTS];
};

/* Under the lock. */
static struct vcpu {
	uint64_t settled[NR_PLACES];
	struct totals totals;
	enum context base;
	/* Contexts of nested interrupts. */
	int depth;
	uint8_t stack[16];
} vcpus[MAX_VCPUS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct qemu_plugin_register *rdi, *rsi;
static struct garray *buffer;
static FILE *out;
static bool hist;

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_API_VERSION;

static enum context context_of(const struct vcpu *vcpu)
{
	return vcpu->depth ? vcpu->stack[vcpu->depth - 1] : vcpu->base;
}

/* What ran since the last event goes to the context that ends now. */
static void settle(unsigned int index)
{
	struct counter *counter = qemu_plugin_scoreboard_find(counters, index);
	struct vcpu *vcpu = &vcpus[index];
	enum context context = context_of(vcpu);

	for (int i = 0; i < NR_PLACES; i++) {
		vcpu->totals.insns[context][i] += counter->insns[i] - vcpu->settled[i];
		vcpu->settled[i] = counter->insns[i];
	}
}

static void change_context(struct vcpu *vcpu, enum event event)
{
	switch (event) {
	case E_IRQ:
	case E_IPI:
	case E_TICK:
		if (vcpu->depth < (int)sizeof(vcpu->stack))
			vcpu->stack[vcpu->depth++] = event == E_TICK ? TICK : IRQ;
		break;
	case E_EXIT:
		/* Exceptions end here too, at depth 0. */
		if (vcpu->depth)
			vcpu->depth--;
		break;
	case E_IDLE:
		vcpu->base = IDLE;
		break;
	case E_UNIDLE:
		vcpu->base = TASK;
		break;
	default:
		break;
	}
}

static void on_event(unsigned int index, void *udata)
{
	enum event event = (intptr_t)udata;

	pthread_mutex_lock(&lock);
	vcpus[index].totals.events[event]++;
	if (event <= E_UNIDLE) {
		settle(index);
		change_context(&vcpus[index], event);
	}
	pthread_mutex_unlock(&lock);
}

static unsigned int nr_vcpus(void)
{
	int n = qemu_plugin_num_vcpus();

	return n < MAX_VCPUS ? n : MAX_VCPUS;
}

static struct totals sum(void)
{
	struct totals sum = {};

	for (unsigned int v = 0; v < nr_vcpus(); v++) {
		settle(v);
		for (int x = 0; x < NR_CONTEXTS; x++)
			for (int i = 0; i < NR_PLACES; i++)
				sum.insns[x][i] += vcpus[v].totals.insns[x][i];
		for (int e = 0; e < NR_EVENTS; e++)
			sum.events[e] += vcpus[v].totals.events[e];
	}
	return sum;
}

static struct totals difference(const struct totals *end, const struct totals *begin)
{
	struct totals d;

	for (int x = 0; x < NR_CONTEXTS; x++)
		for (int i = 0; i < NR_PLACES; i++)
			d.insns[x][i] = end->insns[x][i] - begin->insns[x][i];
	for (int e = 0; e < NR_EVENTS; e++)
		d.events[e] = end->events[e] - begin->events[e];
	return d;
}

static void on_hist_insn(unsigned int index, void *udata)
{
	uintptr_t key = (uintptr_t)udata;

	hist_count(key >> 1, key & 1, context_of(&vcpus[index]));
}

static void hist_switch(bool on)
{
	if (on)
		hist_clear();
	for (unsigned int v = 0; v < nr_vcpus(); v++)
		((struct counter *)qemu_plugin_scoreboard_find(counters, v))->hist_on = on;
}

static uint64_t register_value(struct qemu_plugin_register *handle)
{
	uint64_t value = 0;

	g_byte_array_set_size(buffer, 0);
	if (handle && qemu_plugin_read_register(handle, buffer) >= 8)
		memcpy(&value, buffer->data, sizeof(value));
	return value;
}

static void guest_string(uint64_t address, char *string, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size; i++) {
		g_byte_array_set_size(buffer, 1);
		if (!qemu_plugin_read_memory_vaddr(address + i, buffer, 1))
			break;
		string[i] = *(char *)buffer->data;
		if (!string[i])
			return;
	}
	string[i] = 0;
}

static void put_line(const char *name, uint64_t ops, const struct totals *t)
{
	static const enum event shown[] = {
		E_SYSCALL, E_FAULT, E_SWITCH, E_WAKE, E_KICK, E_IRQ, E_IPI, E_TICK
	};
	unsigned long long all[NR_CONTEXTS];

	for (int x = 0; x < NR_CONTEXTS; x++)
		all[x] = t->insns[x][USER] + t->insns[x][KERNEL] + t->insns[x][MODULE];
	fprintf(out, "%s\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu", name, (unsigned long long)ops,
		(unsigned long long)t->insns[TASK][USER],
		(unsigned long long)(t->insns[TASK][KERNEL] + t->insns[IRQ][KERNEL]),
		(unsigned long long)(t->insns[TASK][MODULE] + t->insns[IRQ][MODULE]),
		all[IRQ], all[IDLE], all[TICK]);
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		fprintf(out, "\t%llu", (unsigned long long)t->events[shown[i]]);
	fputc('\n', out);
	fflush(out);
}

static void put_header(void)
{
	fputs("fs\tround\top\tops\tuser\tkernel\tmodule\tirq\tidle\ttick"
	      "\tsyscalls\tfaults\tswitches\twakeups\tkicks\tinterrupts\tipis\tticks\n", out);
	fflush(out);
}

static void on_mark(unsigned int index, void *udata)
{
	static struct totals begin;
	static bool open;
	struct totals end, spent;
	char name[128];

	(void)index;
	pthread_mutex_lock(&lock);
	if (!udata) {
		begin = sum();
		open = true;
		if (hist)
			hist_switch(true);
	} else if (open) {
		open = false;
		end = sum();
		spent = difference(&end, &begin);
		guest_string(register_value(rdi), name, sizeof(name));
		put_line(name, register_value(rsi), &spent);
		if (hist) {
			hist_switch(false);
			hist_write(name);
		}
	}
	pthread_mutex_unlock(&lock);
}

/* Whether a user instruction is a marker, and which. */
static bool is_mark(struct qemu_plugin_insn *insn, bool *end)
{
	uint8_t code[8];
	uint32_t displacement;

	if (qemu_plugin_insn_size(insn) != 8 || qemu_plugin_insn_data(insn, code, 8) != 8 ||
	    memcmp(code, "\x0f\x1f\x84\x00", 4))
		return false;
	memcpy(&displacement, code + 4, 4);
	*end = displacement == MARK_END;
	return displacement == MARK_BEGIN || displacement == MARK_END;
}

static bool in_kernel(uint64_t address)
{
	return address >> 63;
}

/* Gives an instruction the call-back it needs; whether there is one. */
static bool add_callback(struct qemu_plugin_insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn);
	bool end;

	if (!in_kernel(address)) {
		if (!is_mark(insn, &end))
			return false;
		qemu_plugin_register_vcpu_insn_exec_cb(
			insn, on_mark, end ? QEMU_PLUGIN_CB_R_REGS : QEMU_PLUGIN_CB_NO_REGS,
			(void *)(intptr_t)end);
		return true;
	}
	for (size_t i = 0; i < NR_TRIGGERS; i++) {
		if (triggers[i].address == address) {
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_event, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(intptr_t)triggers[i].event);
			return true;
		}
	}
	return false;
}

static void add_hist(struct qemu_plugin_insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn);
	qemu_plugin_u64 on = { counters, offsetof(struct counter, hist_on) };
	int slot = hist_slot(address);
	uintptr_t key = (uintptr_t)slot << 1 | !(address & 15);

	if (in_kernel(address) && slot >= 0)
		qemu_plugin_register_vcpu_insn_exec_cond_cb(insn, on_hist_insn, QEMU_PLUGIN_CB_NO_REGS,
							    QEMU_PLUGIN_COND_NE, on, 0, (void *)key);
}

/* One addition for a whole run of instructions, at its first. */
static void add_count(struct qemu_plugin_insn *first, size_t length)
{
	uint64_t address = qemu_plugin_insn_vaddr(first);
	enum place place = !in_kernel(address) ? USER : address >= MODULE_TEXT ? MODULE : KERNEL;
	qemu_plugin_u64 entry = { counters, place * sizeof(uint64_t) };

	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(first, QEMU_PLUGIN_INLINE_ADD_U64, entry,
							    length);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct qemu_plugin_insn *first = NULL;
	size_t length = 0;

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		/* A call-back ends a run: what came before it must be counted before it. */
		if (add_callback(insn) && length) {
			add_count(first, length);
			length = 0;
		}
		if (hist)
			add_hist(insn);
		if (!length++)
			first = insn;
	}
	if (length)
		add_count(first, length);
}

static void on_vcpu_init(qemu_plugin_id_t id, unsigned int index)
{
	struct garray *registers;
	qemu_plugin_reg_descriptor *descriptors;

	(void)id;
	if (index)
		return;
	registers = qemu_plugin_get_registers();
	descriptors = registers->data;
	for (unsigned int i = 0; i < registers->len; i++) {
		if (!strcmp(descriptors[i].name, "rdi"))
			rdi = descriptors[i].handle;
		if (!strcmp(descriptors[i].name, "rsi"))
			rsi = descriptors[i].handle;
	}
}

static void look_up(const char *name, uint64_t address)
{
	for (size_t i = 0; i < NR_TRIGGERS; i++)
		if (!triggers[i].address && !strcmp(name, triggers[i].name))
			triggers[i].address = address;
}

/* Finds the triggers' addresses; whether every one is known. */
static bool read_symbols(const char *path)
{
	char line[512], name[256], type;
	unsigned long long address;
	bool complete = true;
	FILE *file = fopen(path, "r");

	if (!file) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%llx %c %255s", &address, &type, name) == 3 && address)
			look_up(name, address);
	fclose(file);
	for (size_t i = 0; i < NR_TRIGGERS; i++) {
		if (!triggers[i].address) {
			fprintf(stderr, "insn: %s has no symbol %s\n", path, triggers[i].name);
			complete = false;
		}
	}
	return complete;
}

static bool option(const char *word)
{
	if (!strncmp(word, "out=", 4))
		return (out = fopen(word + 4, "w"));
	if (!strncmp(word, "syms=", 5))
		return read_symbols(word + 5);
	if (!strncmp(word, "hist=", 5))
		return (hist = hist_open(word + 5));
	return false;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
					   char **argv)
{
	if (!info->system_emulation || strcmp(info->target_name, "x86_64")) {
		fprintf(stderr, "insn: only for systems of x86_64\n");
		return -1;
	}
	for (int i = 0; i < argc; i++) {
		if (!option(argv[i])) {
			fprintf(stderr, "insn: cannot use %s\n", argv[i]);
			return -1;
		}
	}
	if (!out || !triggers[0].address) {
		fprintf(stderr, "insn: out= and syms= are needed\n");
		return -1;
	}
	put_header();
	counters = qemu_plugin_scoreboard_new(sizeof(struct counter));
	buffer = g_byte_array_new();
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu_init);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
