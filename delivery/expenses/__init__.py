"""Supplier invoices in Fortnox become expenses in Moment: list what changed, read each one, plan, apply.

ChangeLister   which supplier invoices may have changed; queues them in Redis
InvoiceReader  one supplier invoice, and what becomes of each of its rows
plan           what has to change in Moment (`mappers.expense_changes`, pure)
ExpenseWriter  applies one change in Moment and records it
ExpenseSync    the four together, for one company
"""

from delivery.expenses.pace import Pace
from delivery.expenses.reader import Inspection, Problem
from delivery.expenses.sync import ExpenseSync

__all__ = ["ExpenseSync", "Inspection", "Pace", "Problem"]
