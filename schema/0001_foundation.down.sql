-- Takes everything away, the data too. The record of migrations lives outside and stays.
DROP TABLE ordinaut.tool, ordinaut.tool_server, ordinaut.process, ordinaut.due_work, ordinaut.step,
    ordinaut.run, ordinaut.slot, ordinaut.task_revision, ordinaut.task, ordinaut.agent;
DROP SEQUENCE ordinaut.run_id;
DROP FUNCTION ordinaut.ensure_partitions(timestamptz);
DROP FUNCTION ordinaut.now();
