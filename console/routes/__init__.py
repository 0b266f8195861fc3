"""The console's routes, a file for each page. Every handler says with `console.access.allow` which roles it is for."""
