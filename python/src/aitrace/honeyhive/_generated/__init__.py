"""Where code written against `honeyhive` finds `HTTPException`."""
