// All of this is for comfort: the page works without it.
const query = document.getElementById("q");

// "/" goes to the query, as on many search pages.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  query.focus();
  query.select();
});

// Leaves blank fields out of the address.
query.form.addEventListener("formdata", ({ formData }) => {
  const filled = [...formData].filter(([, value]) => value.trim() !== "");
  for (const name of new Set([...formData.keys()])) formData.delete(name);
  for (const [name, value] of filled) formData.append(name, value);
});
