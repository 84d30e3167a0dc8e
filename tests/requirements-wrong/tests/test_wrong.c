/* What requirements.py must not let pass: a row of its list without a test, and an open row with one
 * (WRONG-02). */
