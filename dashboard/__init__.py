"""Pages for marketers: figures, questions, files, recommendations and how good they are (Streamlit).

`app.py` is what Streamlit runs, `views/` holds a page per module, `api.py` asks. Everything shown comes from
the API with a key, so that there is one way in. Only the check of a file before it lands runs here, because
it needs Great Expectations, which the API must not reach. Figures, comparisons and answers come ready.
"""
