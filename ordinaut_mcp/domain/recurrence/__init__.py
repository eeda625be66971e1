"""Recurrence: texts become rules, rules name local times, local times become instants.

`rule_text`, `rule_values`, `rule_checks` and `cron_text` read, strictly and bounded; `request`
recognises the kind. `expand`, `expand_often` and `cron_expand` name naive local times and know
no zone. `resolve` turns them into instants, and is the only place that knows gaps and folds.
`series` binds them for each kind, `timetable` holds the schedule that was admitted, and
`admission` says which may be stored. `words`, `notes` and `warnings` tell people about it.
"""
