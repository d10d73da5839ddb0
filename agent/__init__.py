"""Agent: plan, act, verify, refine; checklist, budget, picture store and events."""
