"""Out to a hospital: readers of the log that speak HL7 v2 and FHIR."""
