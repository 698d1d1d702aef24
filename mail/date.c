/* mail/date.c - the two forms of a date in a header.
 *
 * The UTC form does its own calendar arithmetic: it is on the way of every
 * message, needs no zone file, and has no range in which it fails. */
#include "mail/date.h"

#include <time.h>

#define DAY 86400               /* seconds */
#define ERA_DAYS 146097         /* days in 400 Gregorian years */

static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

struct civil {
	int64_t year;
	unsigned month, day;    /* 0..11, 1..31 */
};

/* Years are counted from 1 March here, so that the leap day is the last day
 * of a year and the lengths of the months before it follow one formula. */
static struct civil
civil_from_days(int64_t days)
{
	struct civil c;
	int64_t z = days + 719468;      /* from 1970-01-01 to 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
	unsigned doe = (unsigned)(z - era * ERA_DAYS);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;      /* months since March */

	c.day = doy - (153 * mp + 2) / 5 + 1;
	c.month = (mp + 2) % 12;
	c.year = era * 400 + (int64_t)yoe + (c.month < 2 ? 1 : 0);
	return c;
}

/* The day of a time, and the seconds since it began. */
static struct civil
civil_from_time(int64_t unix_time, unsigned *sec_out)
{
	int64_t days = unix_time / DAY;
	int64_t rest = unix_time % DAY;

	if (rest < 0) {
		rest += DAY;
		days--;
	}
	*sec_out = (unsigned)rest;
	return civil_from_days(days);
}

static void
cat_day(struct str *out, unsigned day, unsigned month, int64_t year)
{
	str_catu(out, day);
	str_catc(out, ' ');
	str_cats(out, months[month]);
	str_catc(out, ' ');
	if (year < 0) {
		str_catc(out, '-');
		year = -year;
	}
	str_catu(out, (uint64_t)year);
	str_catc(out, ' ');
}

static void
cat_clock(struct str *out, unsigned hour, unsigned min, unsigned sec)
{
	str_cat0(out, hour, 2);
	str_catc(out, ':');
	str_cat0(out, min, 2);
	str_catc(out, ':');
	str_cat0(out, sec, 2);
}

void
date822_cat(struct str *out, int64_t unix_time)
{
	unsigned s;
	struct civil c = civil_from_time(unix_time, &s);

	cat_day(out, c.day, c.month, c.year);
	cat_clock(out, s / 3600, s / 60 % 60, s % 60);
	str_cats(out, " -0000");
}

void
date_cat_digits(struct str *out, int64_t unix_time)
{
	unsigned s;
	struct civil c = civil_from_time(unix_time, &s);

	if (c.year < 0)
		c.year = 0;             /* before there was a digit for it */
	if (c.year < 10000)
		str_cat0(out, (unsigned)c.year, 4);
	else
		str_catu(out, (uint64_t)c.year);
	str_cat0(out, c.month + 1, 2);
	str_cat0(out, c.day, 2);
	str_cat0(out, s / 3600, 2);
	str_cat0(out, s / 60 % 60, 2);
	str_cat0(out, s % 60, 2);
}

void
date822_cat_local(struct str *out, int64_t unix_time)
{
	time_t t = (time_t)unix_time;
	struct tm tm;
	long off;               /* minutes east of Greenwich */
	unsigned abs;

	if (localtime_r(&t, &tm) == NULL) {
		date822_cat(out, unix_time);
		return;
	}
	off = tm.tm_gmtoff / 60;
	abs = (unsigned)(off < 0 ? -off : off);
	cat_day(out, (unsigned)tm.tm_mday, (unsigned)tm.tm_mon,
	    (int64_t)tm.tm_year + 1900);
	cat_clock(out, (unsigned)tm.tm_hour, (unsigned)tm.tm_min,
	    (unsigned)tm.tm_sec);
	str_cats(out, off < 0 ? " -" : " +");
	str_cat0(out, abs / 60 * 100 + abs % 60, 4);
}
