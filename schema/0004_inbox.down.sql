-- Back to agents that cannot write to one another. Messages and published events are lost.
DROP TABLE ordinaut.message, ordinaut.event;
