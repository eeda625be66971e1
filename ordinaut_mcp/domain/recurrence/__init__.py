"""Recurrence: texts become rules, rules name local times, local times become instants.

`rule_text` and `cron_text` read, strictly and bounded. `expand*` and `cron_expand` name naive
local times and know no zone. `resolve` turns them into instants, and is the only place that
knows gaps and folds. `series` binds the three together for one schedule.
"""
