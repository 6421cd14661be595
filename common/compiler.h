/* What C11 leaves to the compiler: attributes that turn a mistake into a warning. */
#ifndef COMMON_COMPILER_H
#define COMMON_COMPILER_H

/* The caller must look at the result: it can be an error. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Argument TEMPLATE is a printf format whose arguments start at FIRST. */
#define PRINTF_LIKE(template, first) __attribute__((format(printf, template, first)))

/* The number of elements of an array (never of a pointer). */
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
