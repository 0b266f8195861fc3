"""The ways in. All end in the same atomic admission (`worker.doors.admission`)."""
