/* cells.csv: every number of a run, one line a cell (RFC 4180). */
#include "experiments/csv.h"

#include <math.h>

#include "experiments/ideal.h"

static void
add_number(struct text *text, double number)
{
	if (isnan(number))
		text_add(text, ",");
	else
		text_add(text, ",%.10g", number);
}

static void
add_count(struct text *text, int64_t count)
{
	if (count < 0)
		text_add(text, ",");
	else
		text_add(text, ",%lld", (long long)count);
}

static void
add_line(struct text *text, const struct record *record, const struct series *series, const struct cell *cell)
{
	const struct result *result = &cell->result;

	text_add_csv(text, record->name);
	text_add(text, ",");
	text_add_csv(text, series->experiment->name);
	text_add(text, ",");
	text_add_csv(text, series->label);
	add_number(text, cell->sleep_s);
	text_add(text, ",%d,%lld,%s", cell->concurrency, (long long)cell->requests, result_state_names[result->state]);
	add_count(text, result->complete);
	add_count(text, result->failed);
	add_count(text, result->non_2xx);
	add_number(text, result->duration_s);
	add_number(text, result->rps);
	add_number(text, result->time_ms);
	add_number(text, result->time_all_ms);
	add_number(text, ideal_rps(cell->server, cell->sleep_s, cell->concurrency, cell->requests));
	add_number(text, ideal_time_ms(cell->server, cell->sleep_s, cell->concurrency, cell->requests));
	for (int i = 0; i < RESULT_LATENCIES; i++)
		add_number(text, result->latency_ms[i]);
	add_number(text, result->client_cpu_s);
	text_add(text, ",");
	text_add_csv(text, result->error);
	text_add(text, "\r\n");
}

void
csv_add(struct text *text, const struct record *record)
{
	const struct plan *plan = &record->plan;

	text_add(text,
	    "run,experiment,server,sleep_s,concurrency,requests,state,complete,failed,non_2xx,duration_s,rps,"
	    "time_per_request_ms,time_per_request_all_ms,ideal_rps,ideal_time_per_request_ms");
	for (int i = 0; i < RESULT_LATENCIES; i++)
		text_add(text, ",%s_ms", result_latency_names[i]);
	text_add(text, ",client_cpu_s,error\r\n");
	for (size_t s = 0; s < plan->series_count; s++)
		for (size_t i = 0; i < plan->series[s].experiment->value_count; i++)
			add_line(text, record, &plan->series[s], plan_cell(plan, &plan->series[s], i));
}
