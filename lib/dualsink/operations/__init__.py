"""Operations: set up, mend, age, audit."""
